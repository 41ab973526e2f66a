"""Everything that rests sealed with the credential keys, sealed anew with the first of them.

A key may be taken out of the settings only after this has run: what is still sealed with it opens never again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, select, tuple_, update
from sqlmodel.ext.asyncio.session import AsyncSession

from core.crypto import CredentialBox
from models.tables.base import table_of
from models.tables.platform.connection import Connection
from models.tables.platform.security import IdempotencyKey, Person
from models.tables.platform.signing_in import SignInLink
from models.tables.platform.traffic import InboxItem, Notification
from store.database import Database

_BATCH: Final = 500
_NOTIFICATIONS: Final = table_of(Notification)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column that holds sealed texts; `where` leaves out rows in which it holds something else."""

    table: Table
    column: str
    where: ColumnElement[bool] | None = None

    @property
    def name(self) -> str:
        return f"{self.table.name}.{self.column}"


COLUMNS: Final[tuple[Sealed, ...]] = (
    Sealed(table_of(Connection), "sealed"),
    Sealed(table_of(Connection), "address_secret"),
    Sealed(table_of(IdempotencyKey), "answer"),
    Sealed(table_of(InboxItem), "raw_sealed"),
    Sealed(table_of(Person), "totp_sealed"),
    Sealed(table_of(SignInLink), "totp_sealed"),
    # One-time codes on their way; once sent they are wiped, which is no seal.
    Sealed(_NOTIFICATIONS, "text", _NOTIFICATIONS.c.sealed & (_NOTIFICATIONS.c.state == "pending")),
)


async def reseal(database: Database, box: CredentialBox) -> dict[str, int]:
    """How many were sealed anew, by column. In batches of a transaction each: what a break leaves is done by the next run.
    Raises NotAllowed (code "sealed") if one opens with none of the keys."""
    return {sealed.name: await _column(database, box, sealed) for sealed in COLUMNS}


async def _column(database: Database, box: CredentialBox, sealed: Sealed) -> int:
    done, after = 0, None
    while True:
        async with database.transaction() as session:
            count, after = await _batch(session, box, sealed, after)
        done += count
        if after is None:
            return done


async def _batch(session: AsyncSession, box: CredentialBox, sealed: Sealed, after: Any) -> tuple[int, Any]:
    table, value = sealed.table, sealed.table.c[sealed.column]
    keys = list(table.primary_key.columns)
    query = select(*keys, value).where(value.is_not(None)).order_by(*keys).limit(_BATCH).with_for_update()
    if sealed.where is not None:
        query = query.where(sealed.where)
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*after))
    connection = await session.connection()
    rows = (await connection.execute(query)).all()
    count = 0
    for row in rows:
        anew = _anew(row[-1], box.open, box.rotate)
        if anew is not None:
            same = [key == part for key, part in zip(keys, row[:-1], strict=True)]
            await connection.execute(update(table).where(*same).values({value: anew}))
            count += 1
    return count, tuple(rows[-1][:-1]) if len(rows) == _BATCH else None


def _anew(stored: Any, open_: Callable[[str], str], rotate: Callable[[str], str]) -> Any:
    """The same content under the first key; None for what is not sealed: most answers are kept in clear."""
    if stored is None:  # JSON null
        return None
    if isinstance(stored, dict):
        if stored.keys() != {"sealed"} or not isinstance(stored["sealed"], str):
            return None
        return {"sealed": _anew(stored["sealed"], open_, rotate)}
    text = bytes(stored).decode() if isinstance(stored, bytes | memoryview) else str(stored)
    open_(text)  # says in our words that no key fits
    anew = rotate(text)
    return anew.encode() if isinstance(stored, bytes | memoryview) else anew
