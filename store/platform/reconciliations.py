"""Comparisons with the outside: which day of whom is compared, and what was found to differ."""

from collections.abc import Collection as Many
from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import RECONCILIATION, new_id
from core.money import Money
from models.messages.reconciliation import Difference, PartChecked
from models.tables.base import table_of
from models.tables.platform.reconciliation import Reconciliation, ReconciliationBaseline, ReconciliationDifference
from store.saga import cases

_R, _D = table_of(Reconciliation), table_of(ReconciliationDifference)


async def begin(session: AsyncSession, partner_id: str, day: date) -> str:
    """The id of the day's comparison, which runs from now on."""
    now = utc_now()
    made = await session.exec(
        insert(_R)
        .values(
            id=new_id(RECONCILIATION), partner_id=partner_id, day=day, state="running", runs=1, parts={}, started_at=now
        )
        .on_conflict_do_update(
            index_elements=["partner_id", "day"],
            set_={"state": "running", "runs": _R.c.runs + 1, "started_at": now, "finished_at": None},
        )
        .returning(_R.c.id)
    )
    return str(made.one()[0])


async def finish(session: AsyncSession, reconciliation_id: str, parts: Sequence[PartChecked]) -> None:
    whole = all(part.state != "not_checked" for part in parts)
    await session.exec(
        update(_R)
        .where(_R.c.id == reconciliation_id)
        .values(
            state="done" if whole else "partly",
            parts={part.part: part.model_dump(mode="json", exclude={"part"}) for part in parts},
            finished_at=utc_now(),
        )
    )


async def of_day(session: AsyncSession, partner_id: str, day: date) -> Reconciliation | None:
    found = await session.exec(
        select(Reconciliation).where(Reconciliation.partner_id == partner_id, Reconciliation.day == day)
    )
    return found.first()


async def get(session: AsyncSession, reconciliation_id: str) -> Reconciliation | None:
    return await session.get(Reconciliation, reconciliation_id, populate_existing=True)


async def page(
    session: AsyncSession, *, partner_id: str | None, day: date | None, before: str | None, limit: int
) -> list[Reconciliation]:
    """Newest first."""
    query = select(Reconciliation).order_by(col(Reconciliation.id).desc()).limit(limit)
    if partner_id is not None:
        query = query.where(Reconciliation.partner_id == partner_id)
    if day is not None:
        query = query.where(Reconciliation.day == day)
    if before is not None:
        query = query.where(col(Reconciliation.id) < before)
    return list(await session.exec(query))


# --------------------------------------------------------------------------------------------------------- differences


async def open_subjects(session: AsyncSession, partner_id: str, part: str) -> list[str]:
    """What is still different, and is to be looked at again."""
    found = await session.exec(
        select(ReconciliationDifference.subject)
        .where(
            ReconciliationDifference.partner_id == partner_id,
            ReconciliationDifference.part == part,
            ReconciliationDifference.state == "open",
        )
        .distinct()
    )
    return sorted(found)


async def settle(
    session: AsyncSession, partner_id: str, part: str, day: date, *, looked_at: Many[str], found: Sequence[Difference]
) -> None:
    """What a look at these subjects found. Each difference is a case once; one of theirs that was not found again is gone,
    and so is its case."""
    now = utc_now()
    for one in found:
        made = await session.exec(
            insert(_D)
            .values(
                key=one.key, partner_id=partner_id, part=part, kind=one.kind, subject=one.subject,
                workflow_id=one.workflow_id, day=day, summary=one.summary[:500], evidence=one.evidence, state="open",
                found_at=now, seen_at=now,
            )
            .on_conflict_do_nothing()
            .returning(_D.c.key)
        )  # fmt: skip
        is_new = made.first() is not None
        if not is_new:
            came_back = await session.exec(
                update(_D)
                .where(_D.c.key == one.key, _D.c.state == "gone")
                .values(state="open", day=day, found_at=now, gone_at=None)
                .returning(_D.c.key)
            )
            is_new = came_back.first() is not None
            await session.exec(update(_D).where(_D.c.key == one.key).values(seen_at=now, evidence=one.evidence))
        if is_new:
            await cases.open_case(
                session,
                key=one.key,
                kind=one.kind,
                summary=one.summary[:500],
                evidence={**one.evidence, "day": day.isoformat()},
                partner_id=partner_id,
                workflow_id=one.workflow_id,
            )
    await _close_what_is_gone(session, partner_id, part, looked_at, [one.key for one in found], day)


async def _close_what_is_gone(
    session: AsyncSession, partner_id: str, part: str, looked_at: Many[str], still: list[str], day: date
) -> None:
    gone = await session.exec(
        update(_D)
        .where(
            _D.c.partner_id == partner_id, _D.c.part == part, _D.c.state == "open", _D.c.subject.in_(looked_at),
            _D.c.key.not_in(still),
        )
        .values(state="gone", gone_at=utc_now())
        .returning(_D.c.key)
    )  # fmt: skip
    for (key,) in gone.all():
        await cases.close_of_key(
            session, key, by="reconciliation", resolution=f"The comparison of {day} finds no difference any more."
        )


async def differences(
    session: AsyncSession,
    *,
    partner_id: str | None,
    day: date | None,
    state: str | None,
    before: str | None,
    limit: int,
) -> list[ReconciliationDifference]:
    """By key, which is also the cursor."""
    query = select(ReconciliationDifference).order_by(col(ReconciliationDifference.key)).limit(limit)
    if partner_id is not None:
        query = query.where(ReconciliationDifference.partner_id == partner_id)
    if day is not None:
        query = query.where(ReconciliationDifference.day == day)
    if state is not None:
        query = query.where(ReconciliationDifference.state == state)
    if before is not None:
        query = query.where(col(ReconciliationDifference.key) > before)
    return list(await session.exec(query))


async def of_partner_day(
    session: AsyncSession, partner_id: str, day: date, limit: int
) -> list[ReconciliationDifference]:
    """Those that were found on this day, and those that were open then and are not gone."""
    found = await session.exec(
        select(ReconciliationDifference)
        .where(
            ReconciliationDifference.partner_id == partner_id,
            or_(
                col(ReconciliationDifference.day) == day,
                (col(ReconciliationDifference.state) == "open") & (col(ReconciliationDifference.day) < day),
            ),
        )
        .order_by(col(ReconciliationDifference.key))
        .limit(limit)
    )
    return list(found)


async def baseline(session: AsyncSession, partner_id: str, account: str, offset: Money, day: date) -> Money:
    """How much more the account held than the books when they were compared first; this is that moment if none was
    before."""
    await session.exec(
        insert(table_of(ReconciliationBaseline))
        .values(
            partner_id=partner_id, account=account, currency=offset.currency, offset_minor=offset.minor, day=day
        )
        .on_conflict_do_nothing()
    )  # fmt: skip
    row = await session.get(ReconciliationBaseline, (partner_id, account), populate_existing=True)
    assert row is not None
    return Money(row.offset_minor, row.currency)


async def due(session: AsyncSession, partner_id: str, day: date, *, at_most: int, wait: timedelta) -> bool:
    """Whether a day that is over is still to be compared: it never was, or not wholly, and not too often. One that runs for
    longer than `wait` is taken for lost."""
    row = await of_day(session, partner_id, day)
    if row is None:
        return True
    if row.state == "running":
        return row.started_at < utc_now() - wait
    return row.state == "partly" and row.runs < at_most
