"""The inbox of providers' messages: stored before they are answered, read, delivered until a saga has taken them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.crypto import sha256_hex
from core.ids import INBOX, new_id
from models.messages.inbound import Reading
from models.tables.base import table_of
from models.tables.platform.traffic import InboxItem
from store.saga import cases

_INBOX = table_of(InboxItem)

# The first delivery is made by the process that took the webhook; the sweep leaves it this much time.
_FIRST_SWEEP: Final = timedelta(seconds=10)
_LONGEST_WAIT: Final = timedelta(minutes=10)
UNREAD: Final = "unread"
# What a person, or the same message coming again, may have read anew.
READ_AGAIN: Final = ("unreadable", "forged")
_MOST_FORGED: Final = 200  # of one connection: whoever forges must not fill the disk
_LONGEST_ID: Final = 300  # an index takes no more than some 2,700 bytes


async def store_raw(
    session: AsyncSession,
    *,
    endpoint: str,
    provider: str,
    raw_sealed: str,
    raw_digest: str | None,
    source: str | None,
    partner_id: str | None = None,
    connection_id: str | None = None,
    workflow_id: str | None = None,
    reference: str = "-",
) -> tuple[str, bool]:
    """The item's id, and whether it must be read: a copy of a stored one is only counted, unless that one could not be
    read or believed. `raw_digest` None: every one counts for itself."""
    now, inbox_id = utc_now(), new_id(INBOX)
    stored = await session.exec(
        insert(_INBOX)
        .values(
            id=inbox_id, provider=provider, kind=UNREAD, external_id=f"{UNREAD}:{inbox_id}", partner_id=partner_id,
            workflow_id=workflow_id, reference=reference, body={}, report={}, source=source, received_at=now, copies=1,
            attempts=0, next_attempt_at=now + _FIRST_SWEEP, outcome="waiting", endpoint=endpoint,
            connection_id=connection_id, raw_sealed=raw_sealed, raw_digest=raw_digest,
        )
        .on_conflict_do_update(index_elements=["raw_digest"], set_={"copies": _INBOX.c.copies + 1})
        .returning(_INBOX.c.id, _INBOX.c.copies, _INBOX.c.outcome)
    )  # fmt: skip
    row = stored.one()
    if row.copies > 1 and row.outcome in READ_AGAIN:
        await read_again(session, row.id)
        return row.id, True
    return row.id, row.copies == 1


async def store(session: AsyncSession, reading: Reading, *, source: str | None = None) -> tuple[str, bool]:
    """The same for what we read ourselves (a statement, a list of payments): its item, and whether it is new."""
    now = utc_now()
    stored = await session.exec(
        insert(_INBOX)
        .values(
            id=new_id(INBOX), source=source, received_at=now, copies=1, attempts=0,
            next_attempt_at=now + _FIRST_SWEEP, **_values(reading, now),
        )
        .on_conflict_do_update(index_elements=["provider", "external_id"], set_={"copies": _INBOX.c.copies + 1})
        .returning(_INBOX.c.id, _INBOX.c.copies)
    )  # fmt: skip
    row = stored.one()
    if row.copies == 1:
        await _open_case(session, row.id, reading)
    return row.id, row.copies == 1


async def put_reading(session: AsyncSession, item: InboxItem, reading: Reading) -> bool:
    """What a stored message says. False for another spelling of one that was told before: it counts as its copy."""
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(_id(reading.external_id), 0))))
    first = await session.exec(
        select(InboxItem.id).where(
            InboxItem.provider == reading.provider, InboxItem.external_id == _id(reading.external_id)
        )
    )
    original = first.first()
    if original is not None and original != item.id:
        await session.exec(update(_INBOX).where(_INBOX.c.id == original).values(copies=_INBOX.c.copies + item.copies))
        reading = reading.model_copy(
            update={
                "kind": "copy", "external_id": f"copy:{item.id}", "outcome": "copy", "report": {"copy_of": original},
                "case": None,
            }
        )  # fmt: skip
    for name, value in _values(reading, utc_now()).items():
        setattr(item, name, value)
    await session.flush()
    if reading.outcome == "copy":
        return False
    await _open_case(session, item.id, reading)
    if reading.outcome == "forged":
        await _forget_old_forgeries(session, item)
    return True


async def read_again(session: AsyncSession, inbox_id: str) -> bool:
    """Makes an item unread that could not be read or believed; False if it is no such item, or nothing of it is left."""
    again = await session.exec(
        update(_INBOX)
        .where(_INBOX.c.id == inbox_id, _INBOX.c.outcome.in_(READ_AGAIN), _INBOX.c.raw_sealed.is_not(None))
        .values(
            kind=UNREAD, external_id=f"{UNREAD}:{inbox_id}", outcome="waiting", delivered_at=None,
            next_attempt_at=utc_now() + _FIRST_SWEEP,
        )
        .returning(_INBOX.c.id)
    )  # fmt: skip
    return again.first() is not None


async def get(session: AsyncSession, inbox_id: str) -> InboxItem | None:
    return await session.get(InboxItem, inbox_id)


async def lock(session: AsyncSession, inbox_id: str) -> InboxItem | None:
    found = await session.exec(
        select(InboxItem).where(InboxItem.id == inbox_id).with_for_update().execution_options(populate_existing=True)
    )
    return found.first()


async def due(session: AsyncSession, *, limit: int = 200) -> list[tuple[str, str]]:
    """Ids of items that wait for delivery and may be tried now, each with its partner ("" if nobody knows it): every
    partner's oldest first, then every partner's second, so that one's flood is nobody else's wait."""
    turn = func.row_number().over(
        partition_by=_INBOX.c.partner_id, order_by=(_INBOX.c.received_at, _INBOX.c.id)
    )  # fmt: skip
    waiting = (
        select(_INBOX.c.id, _INBOX.c.partner_id, _INBOX.c.received_at, turn.label("turn"))
        .where(_INBOX.c.delivered_at.is_(None), _INBOX.c.next_attempt_at <= utc_now())
        .subquery()
    )
    found = await session.exec(
        select(waiting.c.id, waiting.c.partner_id).order_by(waiting.c.turn, waiting.c.received_at).limit(limit)
    )
    return [(inbox_id, partner_id or "") for inbox_id, partner_id in found]


async def delivered(session: AsyncSession, inbox_id: str, outcome: str) -> None:
    await session.exec(
        update(_INBOX)
        .where(_INBOX.c.id == inbox_id)
        .values(delivered_at=utc_now(), outcome=outcome, attempts=_INBOX.c.attempts + 1)
    )


async def postpone(session: AsyncSession, item: InboxItem) -> datetime:
    """Not taken this time: the next try, ever later up to ten minutes, without end."""
    wait = min(_FIRST_SWEEP * 2 ** min(item.attempts, 8), _LONGEST_WAIT)
    item.attempts += 1
    item.next_attempt_at = utc_now() + wait
    session.add(item)
    return item.next_attempt_at


async def waiting(session: AsyncSession) -> int:
    """How many items no saga has taken yet."""
    count = await session.exec(select(func.count()).select_from(InboxItem).where(col(InboxItem.delivered_at).is_(None)))
    return count.one()


def _values(reading: Reading, now: datetime) -> dict[str, Any]:
    return {
        "provider": reading.provider, "kind": reading.kind, "external_id": _id(reading.external_id),
        "partner_id": reading.partner_id, "workflow_id": reading.workflow_id,
        "reference": _without_nul(reading.reference)[:_LONGEST_ID], "body": _without_nul(reading.body),
        "report": _without_nul(reading.report), "outcome": reading.outcome,
        "delivered_at": None if reading.outcome == "waiting" else now,
    }  # fmt: skip


def _id(external_id: str) -> str:
    plain = str(_without_nul(external_id))
    return plain if len(plain) <= _LONGEST_ID else f"{plain[:100]}:{sha256_hex(external_id.encode(errors='replace'))}"


def _without_nul(value: Any) -> Any:
    """Without NUL and lone surrogates, which neither JSONB nor UTF-8 can hold."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", errors="replace").decode("utf-8")
    if isinstance(value, dict):
        return {_without_nul(str(key)): _without_nul(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [_without_nul(item) for item in value]
    return value


async def _open_case(session: AsyncSession, inbox_id: str, reading: Reading) -> None:
    if (found := reading.case) is None:
        return
    await cases.open_case(
        session,
        key=found.key or f"inbox:{inbox_id}",
        kind=found.kind,
        summary=found.summary[:500],
        evidence={"inbox_id": inbox_id, **found.evidence},
        partner_id=reading.partner_id,
        workflow_id=reading.workflow_id,
    )


async def _forget_old_forgeries(session: AsyncSession, item: InboxItem) -> None:
    """The newest of a connection are kept: one may be genuine, with the fault in the secret that we were given."""
    kept = (
        select(_INBOX.c.id)
        .where(_INBOX.c.outcome == "forged", _INBOX.c.connection_id == item.connection_id)
        .order_by(_INBOX.c.id.desc())
        .offset(_MOST_FORGED)
    )
    await session.exec(delete(_INBOX).where(_INBOX.c.id.in_(kept)))
