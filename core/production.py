"""What keeps Kivuko from starting: settings that are misspelt anywhere, and in production those that strangers know, could
guess, or could listen to. A line names the variable and what to do; no value is ever quoted."""

import base64
import binascii
import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, SecretStr

from core.addresses import Opened, parse_network

if TYPE_CHECKING:
    from core.settings import Settings

# Fernet, AES, callback secret, report secret, search key: as `core/settings.py` and `.env.example` show them.
SAMPLES: Final = (
    "S2l2dWtvIGxvY2FsIGRlbW8ga2V5IC0gbm90IHNlY3I=",
    "a2l2dWtvLWxvY2FsLWRlbW8tcGF5bG9hZC1rZXktMDE=",
    "kivuko-local-demo-callback-secret",
    "kivuko-local-demo-report-secret",
    "kivuko-local-demo-search-key",
)
_GENERATE: Final = "make one with `kivuko keys generate`"

_WEAK_WORDS: Final = frozenset({
    "", "x", "admin", "administrator", "localdemo", "demo", "changeme", "changeit", "password", "passwort", "passw0rd",
    "secret", "secretkey", "test", "testing", "tester", "example", "default", "kivuko", "letmein", "qwerty", "key", "apikey",
    "token", "root", "postgres", "user", "guest", "sandbox", "todo", "none", "null", "placeholder", "yoursecret",
    "yourpassword", "yourapikey", "mysecret", "mypassword", "abc", "abcdef", "abcdefgh",
})  # fmt: skip
# Who makes a secret decides how long it can be asked to be: ours are long, a vendor gives what it gives.
_SHORTEST_OF_OURS: Final = 24
_SHORTEST_OF_VENDORS: Final = 8
_OF_VENDORS: Final = re.compile(
    r"^(KIVUKO_SMS__\w+__API_KEY|KIVUKO_EMAIL__PASSWORD|KIVUKO_CONSOLE__OPENID__CLIENT_SECRET)$"
)
_FEWEST_CHARACTERS: Final = 5
_PAGE: Final = re.compile(r"https?://[a-z0-9.\-]+(:\d{1,5})?(/[A-Za-z0-9._~/\-]*)?")
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.\-]+(:\d{1,5})?")


def misspelt(settings: "Settings") -> list[str]:
    """Network lists and addresses that cannot be read."""
    callbacks = settings.callbacks
    networks = {
        "KIVUKO_CALLBACKS__ALLOWED_SOURCES": callbacks.allowed_sources,
        "KIVUKO_CALLBACKS__ALLOWED_BANK_SOURCES": callbacks.allowed_bank_sources,
        "KIVUKO_CALLBACKS__TRUSTED_PROXIES": callbacks.trusted_proxies,
        "KIVUKO_SMS__REPORT_SOURCES": settings.sms.report_sources,
    }
    wrong = [f"{name}: {text!r} is no address and no network (such as 196.201.214.0/24)"
             for name, listed in networks.items() for text in listed if not _reads(parse_network, text)]  # fmt: skip
    wrong += [f"KIVUKO_DIALLING__ALLOWED_NETWORKS: {text!r} is no network and no host name, with or without a port"
              for text in settings.dialling.allowed_networks if not _reads(Opened.parse, text)]  # fmt: skip
    wrong += [f"KIVUKO_DIALLING__PORTS: {port} is no port" for port in settings.dialling.ports
              if not 1 <= port <= 65535]  # fmt: skip
    links = {
        "KIVUKO_CONSOLE__BASE_URL": settings.console.base_url,
        "KIVUKO_CONSOLE__TEMPORAL_URL": settings.console.temporal_url,
        "KIVUKO_CONSOLE__OPENID__ISSUER": settings.console.openid.issuer,
    }
    if settings.console.openid.issuer and not settings.console.openid.client_id:
        wrong.append("KIVUKO_CONSOLE__OPENID__ISSUER: is given without KIVUKO_CONSOLE__OPENID__CLIENT_ID")
    wrong += [f"{name}: {url!r} is no address (such as https://kivuko.example, without a query)"
              for name, url in links.items() if url and not _PAGE.fullmatch(url)]  # fmt: skip
    wrong += [f"KIVUKO_CODEC__ORIGINS: {origin!r} is no origin (such as https://temporal.example, without a path)"
              for origin in settings.codec.origins if not _ORIGIN.fullmatch(origin)]  # fmt: skip
    return wrong


def problems(settings: "Settings") -> list[str]:
    """Why these settings are not fit for production."""
    return [*_secrets(settings), *_keys(settings), *_addresses(settings), *_database(settings.database.url)]


def secrets_in(model: BaseModel, prefix: str = "KIVUKO_") -> Iterator[tuple[str, str]]:
    """Every secret of the settings, by its variable."""
    for name in type(model).model_fields:
        yield from _within(getattr(model, name), f"{prefix}{name.upper()}")


def weakness(secret: str, shortest: int) -> str | None:
    """Why a secret is none, or None."""
    bare = re.sub(r"[^a-z]", "", secret.lower())
    if secret.strip() == "":
        return "is empty"
    if len(set(secret)) < _FEWEST_CHARACTERS or re.fullmatch(r"(.{1,8})\1+", secret):
        return "repeats itself"
    if bare in _WEAK_WORDS and (bare or len(secret) < shortest):
        return "is a word that everybody tries"
    if len(secret) < shortest:
        return f"is shorter than {shortest} characters"
    return None


def _within(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, SecretStr):
        yield name, value.get_secret_value()
    elif isinstance(value, BaseModel):
        yield from secrets_in(value, f"{name}__")
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _within(item, name)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _within(item, name)


def _secrets(settings: "Settings") -> list[str]:
    wrong = []
    for name, secret in secrets_in(settings):
        if secret in SAMPLES:
            wrong.append(f"{name}: holds the sample from the public source; {_GENERATE}")
            continue
        why = weakness(secret, _SHORTEST_OF_VENDORS if _OF_VENDORS.match(name) else _SHORTEST_OF_OURS)
        if why:
            wrong.append(f"{name}: {why}")
    if not settings.security.callback_secrets:
        wrong.append(f"KIVUKO_SECURITY__CALLBACK_SECRETS: is empty; {_GENERATE}")
    if not settings.security.search_keys:
        wrong.append(f"KIVUKO_SECURITY__SEARCH_KEYS: is empty; {_GENERATE}")
    return wrong


def _keys(settings: "Settings") -> list[str]:
    """Fernet and AES-256 keys are 32 bytes in URL-safe base64."""
    security = settings.security
    wrong = []
    if not security.credential_keys:
        wrong.append(f"KIVUKO_SECURITY__CREDENTIAL_KEYS: is empty; {_GENERATE}")
    wrong += [f"KIVUKO_SECURITY__CREDENTIAL_KEYS: number {place} is no key of 32 bytes; {_GENERATE}"
              for place, key in enumerate(security.credential_keys, 1) if not _is_key(key)]  # fmt: skip
    wrong += [f"KIVUKO_SECURITY__PAYLOAD_KEYS: {name!r} is no key of 32 bytes; {_GENERATE}"
              for name, key in security.payload_keys.items() if not _is_key(key)]  # fmt: skip
    if security.payload_key_active not in security.payload_keys:
        wrong.append("KIVUKO_SECURITY__PAYLOAD_KEY_ACTIVE: names none of KIVUKO_SECURITY__PAYLOAD_KEYS")
    return wrong


def _is_key(key: SecretStr) -> bool:
    try:
        return len(base64.b64decode(key.get_secret_value().encode(), altchars=b"-_", validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


def _addresses(settings: "Settings") -> list[str]:
    ours = {
        "KIVUKO_CALLBACKS__BASE_URL": settings.callbacks.base_url,
        "KIVUKO_SMS__DAMZA__BASE_URL": settings.sms.damza.base_url,
        "KIVUKO_SMS__AFRICASTALKING__BASE_URL": settings.sms.africastalking.base_url,
        "KIVUKO_NOTICES__TOP_UP_URL": settings.notices.top_up_url,
        "KIVUKO_CONSOLE__BASE_URL": settings.console.base_url,
        "KIVUKO_CONSOLE__TEMPORAL_URL": settings.console.temporal_url,
        "KIVUKO_CONSOLE__OPENID__ISSUER": settings.console.openid.issuer,
    }
    wrong = [f"{name}: must be an https:// address" for name, url in ours.items() if url and not _is_https(url)]
    if not settings.callbacks.base_url:
        wrong.append("KIVUKO_CALLBACKS__BASE_URL: is empty")
    wrong += [f"KIVUKO_CODEC__ORIGINS: {origin} must be https" for origin in settings.codec.origins
              if not origin.startswith("https://")]  # fmt: skip
    mail = settings.email
    if mail.tls == "none" and not _is_this_machine(mail.host):
        wrong.append("KIVUKO_EMAIL__TLS: mail to another machine must be starttls or implicit")
    return wrong


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url.replace("{partner_id}", "partner"))
        return parts.scheme == "https" and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _database(url: str) -> list[str]:
    """A server on this machine may trust who can log in to it; any other asks for a password worth the name."""
    name = "KIVUKO_DATABASE__URL"
    try:
        parts = urlsplit(url)
        asked = parse_qs(parts.query)
        host = asked.get("host", [parts.hostname or ""])[0]
        password = unquote(parts.password or asked.get("password", [""])[0])
    except ValueError:
        return [f"{name}: cannot be read"]
    here = not host or host.startswith("/") or _is_this_machine(host) or "/" in host
    if not password:
        return [] if here else [f"{name}: names another machine and no password"]
    why = weakness(password, _SHORTEST_OF_VENDORS)
    return [f"{name}: its password {why}"] if why else []


def _reads(parse: Any, text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
