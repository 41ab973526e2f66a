import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.errors import NotReached
from providers.smtp.client import Smtp
from tests.providers.message_servers import free_port

Tls = Literal["starttls", "implicit"]


class Inbox:
    """Takes every mail and remembers whether it came encrypted."""

    def __init__(self) -> None:
        self.encrypted: list[bool] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 OK"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost, in one PEM file, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextmanager
def mail_server(certificate: Path, tls: Tls) -> Iterator[tuple[Inbox, int]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    inbox, port = Inbox(), free_port()
    options: dict[str, Any] = {"ssl_context": context} if tls == "implicit" else {"tls_context": context}
    controller = Controller(
        inbox, hostname="localhost", port=port, server_hostname="localhost", require_starttls=False, **options
    )
    controller.start()
    try:
        yield inbox, port
    finally:
        controller.stop()


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_mail_goes_encrypted_to_a_server_that_we_trust(certificate: Path, tls: Tls) -> None:
    trust = ssl.create_default_context(cafile=str(certificate))
    with mail_server(certificate, tls) as (inbox, port):
        client = Smtp(
            "localhost", port, None, None, tls, "Kivuko <no-reply@kivuko.example>",
            timeout=timedelta(seconds=5), tls_context=trust,
        )  # fmt: skip
        await client.send("a@lender.example", "Paid", "It is paid.", message_id="ntf_1")
    assert inbox.encrypted == [True]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_certificate_that_nobody_vouches_for_gets_no_mail(certificate: Path, tls: Tls) -> None:
    with mail_server(certificate, tls) as (inbox, port):
        client = Smtp(
            "localhost", port, None, None, tls, "Kivuko <no-reply@kivuko.example>", timeout=timedelta(seconds=5)
        )
        with pytest.raises(NotReached):
            await client.send("a@lender.example", "Paid", "It is paid.", message_id="ntf_1")
    assert inbox.encrypted == []
