"""Production does not start with what strangers know, guess or listen to, and says all of it at once."""

import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.production import SAMPLES, secrets_in
from core.settings import Settings
from tests.support.production import production_settings


@pytest.fixture(autouse=True)
def installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The documented installation, and nothing of the person who runs the tests."""
    for name in list(os.environ):
        if name.startswith("KIVUKO_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for name, value in production_settings().items():
        monkeypatch.setenv(name, value)


def refusal() -> str:
    with pytest.raises(ValidationError) as caught:
        Settings()
    return str(caught.value)


def test_the_documented_installation_starts() -> None:
    settings = Settings()
    assert settings.environment == "production"
    assert settings.dialling_rules().loopback is False


FERNET, AES, HMAC, REPORT, SEARCH = SAMPLES
GOOD = "9f3c1b7ad25e48c6a0f1d3b7e9c24a68"
_FIT = "c2V2ZW50ZWVuLWFuZC1maWZ0ZWVuLWJ5dGVzLW9mLWs="  # the same for every process that runs these tests


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("CONSOLE__BASE_URL", "http://kivuko.lender.example", "must be an https:// address"),
        ("CONSOLE__TEMPORAL_URL", "http://temporal.lender.example", "must be an https:// address"),
        ("CONSOLE__OPENID__ISSUER", "http://id.lender.example", "must be an https:// address"),
        ("CONSOLE__OPENID__ISSUER", "https://id.lender.example", "is given without"),
        ("CONSOLE__OPENID__ISSUER", "https://id.lender.example/?x=1", "is no address"),
        ("CONSOLE__OPENID__CLIENT_SECRET", "changeme", "is a word that everybody tries"),
        ("SECURITY__CREDENTIAL_KEYS", f'["{FERNET}"]', "holds the sample"),
        ("SECURITY__CREDENTIAL_KEYS", json.dumps([_FIT, FERNET]), "holds the sample"),
        ("SECURITY__CREDENTIAL_KEYS", "[]", "is empty"),
        ("SECURITY__CREDENTIAL_KEYS", f'["{GOOD}"]', "number 1 is no key of 32 bytes"),
        ("SECURITY__CREDENTIAL_KEYS", json.dumps([_FIT, "x"]), "number 2 is no key of 32 bytes"),
        ("SECURITY__PAYLOAD_KEYS", json.dumps({"p1": AES}), "holds the sample"),
        ("SECURITY__PAYLOAD_KEYS", json.dumps({"p1": _FIT[:22]}), "'p1' is no key of 32 bytes"),
        ("SECURITY__PAYLOAD_KEY_ACTIVE", "p9", "names none"),
        ("SECURITY__CALLBACK_SECRETS", f'["{HMAC}"]', "holds the sample"),
        ("SECURITY__CALLBACK_SECRETS", json.dumps([GOOD, HMAC]), "holds the sample"),
        ("SECURITY__CALLBACK_SECRETS", "[]", "is empty"),
        ("SECURITY__SEARCH_KEYS", f'["{SEARCH}"]', "holds the sample"),
        ("SECURITY__SEARCH_KEYS", json.dumps([GOOD, SEARCH]), "holds the sample"),
        ("SECURITY__SEARCH_KEYS", "[]", "is empty"),
        ("SECURITY__SEARCH_KEYS", '["a short secret"]', "is shorter"),
        ("SECURITY__CALLBACK_SECRETS", '[""]', "is empty"),
        ("SECURITY__CALLBACK_SECRETS", '["   "]', "is empty"),
        ("SECURITY__CALLBACK_SECRETS", '["x"]', "repeats itself"),
        ("SECURITY__CALLBACK_SECRETS", '["a short secret"]', "is shorter"),
        ("SECURITY__CALLBACK_SECRETS", json.dumps(["a" * 64]), "repeats itself"),
        ("SECURITY__CALLBACK_SECRETS", json.dumps(["abcde" * 12]), "repeats itself"),
        ("SECURITY__BOOTSTRAP_ADMIN_KEY", "admin", "everybody tries"),
        ("SECURITY__BOOTSTRAP_ADMIN_KEY", "kvk_short", "is shorter"),
        ("SMS__REPORT_SECRET", REPORT, "holds the sample"),
        ("SMS__REPORT_SECRET", "changeme-changeme", "is shorter"),
        ("SMS__DAMZA__API_KEY", "local-demo", "everybody tries"),
        ("SMS__AFRICASTALKING__API_KEY", "changeme", "everybody tries"),
        ("SMS__AFRICASTALKING__API_KEY", "Change-Me-123456", "everybody tries"),
        ("SMS__AFRICASTALKING__API_KEY", "1q2w3e", "is shorter"),
        ("EMAIL__PASSWORD", "password", "everybody tries"),
        ("METRICS__TOKEN", "metrics-token", "is shorter"),
        ("CODEC__ADDRESS_SECRET", "temporal", "is shorter"),
        ("CALLBACKS__BASE_URL", "http://kivuko.lender.example", "must be an https"),
        ("SMS__DAMZA__BASE_URL", "http://127.0.0.1:9000/damza", "must be an https"),
        ("SMS__AFRICASTALKING__BASE_URL", "http://sms.example", "must be an https"),
        ("NOTICES__TOP_UP_URL", "http://pay.example/{partner_id}", "must be an https"),
        ("CODEC__ORIGINS", '["http://temporal.lender.example"]', "must be https"),
        ("EMAIL__TLS", "none", "must be starttls"),
        ("DATABASE__URL", "postgresql://kivuko@db.lender.example/kivuko", "names another machine and no password"),
        ("DATABASE__URL", "postgresql://kivuko:admin@db.lender.example/kivuko", "its password is a word"),
        ("DATABASE__URL", "postgresql://kivuko:x@127.0.0.1/kivuko", "its password repeats itself"),
        ("DATABASE__URL", "postgresql:///kivuko?host=db.lender.example&user=kivuko", "names another machine and no"),
    ],
)
def test_one_weakness_is_enough(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, why: str) -> None:
    monkeypatch.setenv(f"KIVUKO_{variable}", value)
    said = refusal()
    assert f"KIVUKO_{variable}: " in said
    assert why in said.split(f"KIVUKO_{variable}: ", 1)[1]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CALLBACKS__ALLOWED_SOURCES", '["196.201.214.0/33"]'),
        ("CALLBACKS__ALLOWED_SOURCES", '["196.201.214.200/24"]'),
        ("CALLBACKS__ALLOWED_BANK_SOURCES", '["10.0.0.1", "10.0.0"]'),
        ("CALLBACKS__TRUSTED_PROXIES", '["proxy.lender.example"]'),
        ("SMS__REPORT_SOURCES", '["any"]'),
        ("DIALLING__ALLOWED_NETWORKS", '["10.20.0.0/33"]'),
        ("DIALLING__ALLOWED_NETWORKS", '["10.20.0.5/16"]'),
        ("DIALLING__ALLOWED_NETWORKS", '["10.20.0"]'),
        ("DIALLING__ALLOWED_NETWORKS", '["bank.example:99999"]'),
        ("DIALLING__ALLOWED_NETWORKS", '["https://bank.example"]'),
        ("DIALLING__PORTS", "[0]"),
        ("CODEC__ORIGINS", '["https://temporal.example/ui"]'),
    ],
)
@pytest.mark.parametrize("environment", ["local", "production"])
def test_a_misspelt_list_stops_every_start(
    monkeypatch: pytest.MonkeyPatch, environment: str, variable: str, value: str
) -> None:
    monkeypatch.setenv("KIVUKO_ENVIRONMENT", environment)
    monkeypatch.setenv(f"KIVUKO_{variable}", value)
    assert f"KIVUKO_{variable}: " in refusal()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE__URL", "postgresql://kivuko@127.0.0.1/kivuko"),
        ("DATABASE__URL", "postgresql://kivuko@/kivuko?host=/run/postgresql"),
        ("EMAIL__HOST", "127.0.0.1"),
        ("CALLBACKS__TRUSTED_PROXIES", '["10.0.0.7", "fd00::/8"]'),
        (
            "DIALLING__ALLOWED_NETWORKS",
            '["10.20.0.0/16", "10.20.1.5:9443", "[fd12::/16]:8443", "*.lender.example:9443"]',
        ),
    ],
)
def test_what_is_right_starts(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    if variable == "EMAIL__HOST":
        monkeypatch.setenv("KIVUKO_EMAIL__TLS", "none")
    monkeypatch.setenv(f"KIVUKO_{variable}", value)
    assert Settings().environment == "production"


def test_everything_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "KIVUKO_SECURITY__CREDENTIAL_KEYS": '["x"]', "KIVUKO_SMS__DAMZA__API_KEY": "admin",
        "KIVUKO_CALLBACKS__BASE_URL": "http://kivuko.example", "KIVUKO_CALLBACKS__TRUSTED_PROXIES": '["proxy"]',
        "KIVUKO_DATABASE__URL": "postgresql://kivuko@db/kivuko",
    }  # fmt: skip
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    said = refusal()
    assert all(f"- {name}: " in said for name in wrong)


def test_no_secret_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIVUKO_SMS__DAMZA__API_KEY", "s3cr3t")
    monkeypatch.setenv("KIVUKO_DATABASE__URL", "postgresql://kivuko:hunter2@db/kivuko")
    said = refusal()
    assert "s3cr3t" not in said
    assert "hunter2" not in said


def test_every_secret_of_the_settings_is_looked_at() -> None:
    """A secret that is added later is found by its type."""
    looked_at = {name for name, _ in secrets_in(Settings())}
    assert {
        "KIVUKO_SECURITY__CREDENTIAL_KEYS", "KIVUKO_SECURITY__PAYLOAD_KEYS", "KIVUKO_SECURITY__CALLBACK_SECRETS",
        "KIVUKO_SECURITY__BOOTSTRAP_ADMIN_KEY", "KIVUKO_SMS__DAMZA__API_KEY", "KIVUKO_SMS__AFRICASTALKING__API_KEY",
        "KIVUKO_SMS__REPORT_SECRET", "KIVUKO_EMAIL__PASSWORD", "KIVUKO_METRICS__TOKEN",
    } <= looked_at  # fmt: skip


def test_a_developers_machine_needs_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("KIVUKO_"):
            monkeypatch.delenv(name)
    assert Settings().dialling_rules().loopback is True
