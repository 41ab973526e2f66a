"""The unguessable parts of addresses at which others call us: sealed at rest, found by digest, replaced with a time of grace.

Each connection has one: where M-Pesa or a bank announces payments, where a core bank tells of its events. Of an address that
was replaced only the digest stays, for as long as it goes on working.
"""

import secrets
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, or_
from sqlmodel import col

from core.clock import utc_now
from core.crypto import CredentialBox, sha256_hex
from core.errors import Conflict
from models.tables.platform.connection import Connection

# Lower-case hexadecimal spells none of the words that Daraja refuses in addresses.
_BYTES: Final = 32


def made(box: CredentialBox, secret: str | None = None) -> dict[str, Any]:
    """The columns of a new address."""
    plain = secret or secrets.token_hex(_BYTES)
    return {"address_secret": box.seal(plain), "address_digest": digest(plain)}


def digest(secret: str) -> str:
    return sha256_hex(secret.encode("utf-8", errors="replace"))


def give(row: Connection, box: CredentialBox) -> None:
    """An address for a connection that has none."""
    if row.address_digest is None:
        _put(row, box)


def opened(row: Connection, box: CredentialBox) -> str:
    """The secret itself. Raises Conflict (code "no_address"), NotAllowed (code "sealed") if no key of ours opens it."""
    if row.address_secret is None:
        raise Conflict("The connection has no address yet; give its settings anew.", code="no_address")
    return box.open(row.address_secret)


def replace(row: Connection, box: CredentialBox, *, grace: timedelta) -> None:
    """A new address; the present one goes on working for the time of grace, and none before it does.

    Raises Conflict (code "rotation_in_progress") while an older one still works and nobody asked to end it at once (a grace
    of zero): whoever calls there has not been told yet.
    """
    now = utc_now()
    until = row.old_address_until
    if grace > timedelta(0) and until is not None and until > now:
        raise Conflict(
            "The address was replaced a short while ago and the one before it still works; wait, or give no grace.",
            code="rotation_in_progress",
        )
    replaced = row.address_digest
    kept = grace > timedelta(0) and replaced is not None
    row.old_address_digest = replaced if kept else None
    row.old_address_until = now + grace if kept else None
    _put(row, box)


def works(wanted: str) -> ColumnElement[bool]:
    """The condition on a row of `connections`: an address with this digest leads to it now. Compared by digest: how long it
    takes tells nothing of a secret that shares its beginning with the one given."""
    return or_(
        col(Connection.address_digest) == wanted,
        and_(col(Connection.old_address_digest) == wanted, col(Connection.old_address_until) > func.now()),
    )


def _put(row: Connection, box: CredentialBox) -> None:
    for column, value in made(box).items():
        setattr(row, column, value)
