"""What is outside, spelt one way: a core bank's tenant, a short code, a bank account, a provider's id of a payment.

Two spellings of one thing would be two things to us: two lenders could pay one loan, one payment could be credited twice.
So every key and every provider's id goes through here before it is compared or kept.
"""

import hashlib
import socket
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from core.texts import clean

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LONGEST_ID: Final = 64


@dataclass(frozen=True, slots=True, order=True)
class OutsideKey:
    """One thing of the world, which one partner at most may have."""

    kind: str  # as models/providers.py names it
    key: str


def server_of(base_url: str) -> str:
    """`host` or `host:port` of an address: lower case, without the root's dot and the scheme's own port, a number that
    stands for an IPv4 address spelt as one. Raises ValueError for an address without a host."""
    parts = urlsplit(base_url.strip())
    host = (parts.hostname or "").rstrip(".").lower()
    if not host:
        raise ValueError("the address has no host")
    with suppress(UnicodeError):  # else it is a name that no server has
        host = host if host.isascii() else host.encode("idna").decode()
    if host[0].isdigit():
        with suppress(OSError):  # else it is a name that begins with a digit
            host = socket.inet_ntoa(socket.inet_aton(host))  # 127.1, 0x7f.0.0.1 and 2130706433 are one address
    port = parts.port
    return host if port is None or port == _DEFAULT_PORTS.get(parts.scheme.lower()) else f"{host}:{port}"


def fineract_tenant(base_url: str, tenant: str) -> OutsideKey:
    """A server compares tenants as its database does, and MySQL's takes `Default`, `default` and `défault` for one."""
    bare = "".join(char for char in unicodedata.normalize("NFKD", tenant) if not unicodedata.combining(char))
    return OutsideKey("fineract_tenant", f"{server_of(base_url)}/{bare.strip().casefold()}")


def fineract_identity(identity: str) -> OutsideKey:
    """What a server says of itself, whatever it is called."""
    return OutsideKey("fineract_identity", identity.strip())


def mpesa_shortcode(shortcode: str) -> OutsideKey:
    return OutsideKey("mpesa_shortcode", shortcode.strip())


def bank_account(dialect: str, base_url: str, account: str) -> OutsideKey:
    """Two banks may give two customers one number, so the account is the bank's; hyphens are how people write it."""
    return OutsideKey("bank_account", f"{dialect}/{server_of(base_url)}/{account.strip().replace('-', '').upper()}")


def provider_id(text: str) -> str:
    """A provider's id of a payment (a receipt, a bank's transaction id) as we compare and keep it: one line, capitals, at
    most 64 characters. One that does not fit keeps what fits and the digest of the whole, so that two stay two."""
    whole = unicodedata.normalize("NFKC", text).upper().strip()
    plain = clean(whole, _LONGEST_ID + 1)
    if len(plain) <= _LONGEST_ID and (plain or not whole):
        return plain
    digest = hashlib.sha256(whole.encode("utf-8", errors="replace")).hexdigest()[:31].upper()
    return f"{plain[:32]}#{digest}"
