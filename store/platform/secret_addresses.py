"""The unguessable parts of addresses at which others call us: sealed at rest, found by digest, replaced with a time of grace.

Two kinds: a partner's `hook` (its core-banking system's events) and a connection's `push` (payments that M-Pesa or a bank
announces). The columns of a kind are `<kind>_secret` (sealed), `<kind>_digest`, `old_<kind>_digest`, `old_<kind>_until`.
Of an address that was replaced only the digest stays, for as long as it goes on working.
"""

import secrets
from datetime import timedelta
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, and_, func, or_
from sqlmodel import col

from core.clock import utc_now
from core.crypto import CredentialBox, sha256_hex
from core.errors import Conflict
from models.tables.platform.connection import Connection
from models.tables.platform.partner import Partner

Kind = Literal["hook", "push"]

# Lower-case hexadecimal spells none of the words that Daraja refuses in addresses.
_BYTES: Final = 32


def made(kind: Kind, box: CredentialBox, secret: str | None = None) -> dict[str, Any]:
    """The columns of a new address."""
    plain = secret or secrets.token_hex(_BYTES)
    return {f"{kind}_secret": box.seal(plain), f"{kind}_digest": digest(plain)}


def digest(secret: str) -> str:
    return sha256_hex(secret.encode("utf-8", errors="replace"))


def give(row: Partner | Connection, kind: Kind, box: CredentialBox) -> None:
    """An address for a row that has none."""
    if getattr(row, f"{kind}_digest") is None:
        for column, value in made(kind, box).items():
            setattr(row, column, value)


def opened(row: Partner | Connection, kind: Kind, box: CredentialBox) -> str:
    """The secret itself. Raises Conflict (code "no_address"), NotAllowed (code "sealed") if no key of ours opens it."""
    sealed = getattr(row, f"{kind}_secret")
    if sealed is None:
        raise Conflict("The connection has no address yet; give its settings anew.", code="no_address")
    return box.open(sealed)


def replace(row: Partner | Connection, kind: Kind, box: CredentialBox, *, grace: timedelta) -> None:
    """A new address; the present one goes on working for the time of grace, and none before it does.

    Raises Conflict (code "rotation_in_progress") while an older one still works and nobody asked to end it at once (a grace
    of zero): whoever calls there has not been told yet.
    """
    now = utc_now()
    until = getattr(row, f"old_{kind}_until")
    if grace > timedelta(0) and until is not None and until > now:
        raise Conflict(
            "The address was replaced a short while ago and the one before it still works; wait, or give no grace.",
            code="rotation_in_progress",
        )
    replaced = getattr(row, f"{kind}_digest")
    kept = grace > timedelta(0) and replaced is not None
    setattr(row, f"old_{kind}_digest", replaced if kept else None)
    setattr(row, f"old_{kind}_until", now + grace if kept else None)
    for column, value in made(kind, box).items():
        setattr(row, column, value)


def works(kind: Kind, wanted: str) -> ColumnElement[bool]:
    """The condition on a row of `partners` or `connections`: an address with this digest leads to it now. Compared by
    digest: how long it takes tells nothing of a secret that shares its beginning with the one given."""
    model: Any = Partner if kind == "hook" else Connection
    current, old, until = (
        getattr(model, name) for name in (f"{kind}_digest", f"old_{kind}_digest", f"old_{kind}_until")
    )
    return or_(col(current) == wanted, and_(col(old) == wanted, col(until) > func.now()))
