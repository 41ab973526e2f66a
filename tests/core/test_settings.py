import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.crypto import CallbackSigner, CredentialBox, KeyRing
from core.settings import Settings, Sms


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the person who runs the tests, and no `.env` of theirs."""
    for name in list(os.environ):
        if name.startswith("KIVUKO_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_are_a_working_local_stack() -> None:
    security = Settings().security
    box = CredentialBox([key.get_secret_value() for key in security.credential_keys])
    assert box.open(box.seal("x")) == "x"
    ring = KeyRing(
        {name: key.get_secret_value() for name, key in security.payload_keys.items()}, security.payload_key_active
    )
    assert ring.open(security.payload_key_active, ring.seal(b"x")) == b"x"
    assert CallbackSigner([secret.get_secret_value() for secret in security.callback_secrets])


def test_nested_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIVUKO_DATABASE__URL", "postgresql://db.example/kivuko")
    monkeypatch.setenv("KIVUKO_API__PORT", "8080")
    monkeypatch.setenv("KIVUKO_SMS__DAMZA__BASE_URL", "https://sms.example")
    settings = Settings()
    assert settings.database.url == "postgresql://db.example/kivuko"
    assert settings.api.port == 8080
    assert settings.sms.damza.base_url == "https://sms.example"


def test_a_blank_setting_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIVUKO_API__PORT", "")
    monkeypatch.setenv("KIVUKO_LOG_LEVEL", "")
    assert Settings().log_level == "INFO"


@pytest.mark.parametrize(
    ("name", "value"),
    [("KIVUKO_API__PORT", "0"), ("KIVUKO_API__PORT", "70000"), ("KIVUKO_ENVIRONMENT", "prod"),
     ("KIVUKO_LOG_LEVEL", "LOUD"), ("KIVUKO_EMAIL__TLS", "maybe")],
)  # fmt: skip
def test_a_setting_out_of_bounds_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


def test_settings_do_not_print_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIVUKO_SECURITY__CALLBACK_SECRETS", '["s3cr3t-callback"]')
    monkeypatch.setenv("KIVUKO_SMS__DAMZA__BASE_URL", "https://sms.example")
    monkeypatch.setenv("KIVUKO_SMS__DAMZA__API_KEY", "s3cr3t-gateway")
    settings = Settings()
    assert settings.sms.damza.api_key.get_secret_value() == "s3cr3t-gateway"
    assert "s3cr3t" not in repr(settings) + str(settings)


@pytest.mark.parametrize("secret", ["short", "with/slash/0123456789", "with space 0123456789", "x" * 129])
def test_a_report_secret_that_fits_no_address_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("KIVUKO_SMS__REPORT_SECRET", secret)
    with pytest.raises(ValidationError, match="report_secret") as caught:
        Settings()
    assert secret not in str(caught.value)


def test_one_changed_member_of_a_group_leaves_the_others_at_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIVUKO_SMS__DAMZA__USERNAME", "sacco")
    damza = Settings(_env_file=None).sms.damza
    assert (damza.username, damza.base_url, damza.dialect) == ("sacco", Sms().damza.base_url, "panel")
