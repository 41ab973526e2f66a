"""The simulated Safaricom's own RSA key and certificate: initiator passwords are decrypted for real (daraja.md 2)."""

import base64
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import NameOID

from simulators.daraja.models import KEYS
from simulators.documents import Documents


class InitiatorKey:
    """Made once and kept with the world (new worlds of one process share it).

    The certificate is long expired, as the published ones are.
    """

    def __init__(self, documents: Documents) -> None:
        kept = documents.get(KEYS, "initiator") or documents.put(KEYS, "initiator", dict(_make()))
        self.certificate_pem: str = kept["certificate"]
        self._key = _read(kept["key"])

    def open(self, credential: str) -> str | None:
        """The password inside a SecurityCredential, or None if it is not one made for this key."""
        try:
            return self._key.decrypt(base64.b64decode(credential, validate=True), PKCS1v15()).decode()
        except ValueError:
            return None


@cache
def _read(pem: str) -> rsa.RSAPrivateKey:
    """Kept: checking that a key is one takes 70 ms of processor time."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@cache
def _make() -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "apicrypt.simulator.example")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2017, 4, 5, tzinfo=UTC))
        .not_valid_after(datetime(2019, 4, 4, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    return {
        "key": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
    }
