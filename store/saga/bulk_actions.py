"""Bulk actions: one command for many sagas. Each saga is a row with its own result, and the rows are the record: whoever goes
on after a crash goes on from them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.kinds import SagaKind
from models.tables.base import table_of
from models.tables.saga.bulk_action import BulkAction, BulkItem

Result = Literal["taken", "refused", "unanswered"]

_ACTIONS: Final = table_of(BulkAction)
_ITEMS: Final = table_of(BulkItem)
_OPEN: Final = ("waiting", "sending")
_NOT_FOUND: Final = "There is no such payment, or you may not know of it."
_STOPPED: Final = "Somebody stopped it before this one's turn."


# ------------------------------------------------------------------------------------------------------------ its making


async def named(
    session: AsyncSession, kind: SagaKind, saga_ids: Collection[str], partner_id: str | None
) -> dict[str, str]:
    """The workflow ids of those of these sagas that there are, by id; of one partner only, if one is given."""
    model = kind.row_class
    query = select(model.id, model.workflow_id).where(col(model.id).in_(saga_ids))
    if partner_id is not None:
        query = query.where(model.partner_id == partner_id)
    return dict((await session.exec(query)).all())


async def add(session: AsyncSession, action: BulkAction, targets: Sequence[tuple[str, str | None]]) -> BulkAction:
    """With its items, in this order: each saga's id and its workflow's. What has no workflow is refused at once. A form that
    was sent before leaves its first action, which is returned."""
    made = await session.exec(
        insert(_ACTIONS).values(action.model_dump()).on_conflict_do_nothing().returning(_ACTIONS.c.id)
    )
    if made.first() is None:
        first = select(BulkAction).where(
            BulkAction.requested_via == action.requested_via, BulkAction.form_key == action.form_key
        )
        return (await session.exec(first)).one()
    now = utc_now()
    for ordinal, (saga_id, workflow_id) in enumerate(targets, start=1):
        item = BulkItem(bulk_id=action.id, ordinal=ordinal, saga_id=saga_id, workflow_id=workflow_id, state="waiting")
        if workflow_id is None:
            item.state, item.code, item.detail, item.at = "refused", "not_found", _NOT_FOUND, now
        session.add(item)
    await session.flush()
    return action


# ----------------------------------------------------------------------------------------------------------- its reading


async def get(session: AsyncSession, bulk_id: str, *, for_update: bool = False) -> BulkAction | None:
    return await session.get(BulkAction, bulk_id, with_for_update=for_update or None)


async def page(
    session: AsyncSession, *, kinds: Collection[str], partner_id: str | None, before: str | None, limit: int
) -> list[BulkAction]:
    """Newest first, of these kinds of sagas; `partner_id`: those that this partner's people asked for."""
    query = select(BulkAction).where(col(BulkAction.kind).in_(kinds)).order_by(col(BulkAction.id).desc()).limit(limit)
    if partner_id is not None:
        query = query.where(BulkAction.partner_id == partner_id)
    if before is not None:
        query = query.where(BulkAction.id < before)
    return list(await session.exec(query))


async def items(
    session: AsyncSession, bulk_id: str, *, state: str | None = None, after: int = 0, limit: int = 50
) -> list[BulkItem]:
    """In their order, from the one after `after`."""
    query = select(BulkItem).where(BulkItem.bulk_id == bulk_id, BulkItem.ordinal > after)
    if state is not None:
        query = query.where(BulkItem.state == state)
    return list(await session.exec(query.order_by(col(BulkItem.ordinal)).limit(limit)))


async def counts(session: AsyncSession, bulk_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """How many items of each action stand at each state."""
    query = (
        select(BulkItem.bulk_id, BulkItem.state, func.count())
        .where(col(BulkItem.bulk_id).in_(bulk_ids))
        .group_by(BulkItem.bulk_id, BulkItem.state)
    )
    found: dict[str, dict[str, int]] = {bulk_id: {} for bulk_id in bulk_ids}
    for bulk_id, state, number in (await session.exec(query)).all():
        found[bulk_id][state] = number
    return found


async def unfinished(session: AsyncSession, *, older_than: datetime, limit: int) -> list[str]:
    """The ids of those that have not ended; the sweep sees to it that each has its workflow."""
    query = select(BulkAction.id).where(col(BulkAction.ended_at).is_(None), BulkAction.created_at < older_than)
    return list(await session.exec(query.order_by(col(BulkAction.created_at)).limit(limit)))


# ----------------------------------------------------------------------------------------------------------- its running


async def begin(session: AsyncSession, bulk_id: str) -> BulkAction | None:
    """The action as it goes on now, started if it was not; None once it has ended."""
    action = await get(session, bulk_id, for_update=True)
    if action is None or action.ended_at is not None:
        return None
    if action.state == "requested":
        action.state = "running"
    action.started_at = action.started_at or utc_now()
    session.add(action)
    return action


async def next_items(session: AsyncSession, action: BulkAction, limit: int) -> list[int]:
    """The ordinals of those whose turn it is: what did not answer before comes last. Of a stopped action only what may have
    been sent already."""
    states = ("sending",) if action.state == "stopping" else _OPEN
    query = select(BulkItem.ordinal).where(BulkItem.bulk_id == action.id, col(BulkItem.state).in_(states))
    return list(await session.exec(query.order_by(col(BulkItem.tries), col(BulkItem.ordinal)).limit(limit)))


async def take_item(session: AsyncSession, bulk_id: str, ordinal: int) -> tuple[BulkItem, bool] | None:
    """An item to be sent now, and whether it may have been sent before; None if it has its result, or will not be sent
    because the action was stopped."""
    # Whoever stops the action waits for this lock, and so for those that are on their way.
    state = (
        await session.exec(select(BulkAction.state).where(BulkAction.id == bulk_id).with_for_update(read=True))
    ).one()
    wanted = select(BulkItem).where(BulkItem.bulk_id == bulk_id, BulkItem.ordinal == ordinal).with_for_update()
    item = (await session.exec(wanted)).one()
    if item.state == "sending":
        return item, True
    if item.state != "waiting" or state == "stopping":
        return None
    item.state, item.at = "sending", utc_now()
    session.add(item)
    await session.flush()
    return item, False


async def end_item(
    session: AsyncSession, bulk_id: str, ordinal: int, result: Result, *, stage: str | None = None,
    code: str | None = None, detail: str | None = None,
) -> bool:  # fmt: skip
    """Its result; False if it had one."""
    told = detail[:500] if detail is not None else None
    ended = await session.exec(
        update(_ITEMS)
        .where(_ITEMS.c.bulk_id == bulk_id, _ITEMS.c.ordinal == ordinal, _ITEMS.c.state == "sending")
        .values(state=result, stage=stage, code=code, detail=told, at=utc_now())
    )
    return ended.rowcount == 1


async def tried(session: AsyncSession, bulk_id: str, ordinal: int, *, code: str, detail: str) -> int:
    """It did not answer; how often that was. It keeps its turn."""
    tries = await session.exec(
        update(_ITEMS)
        .where(_ITEMS.c.bulk_id == bulk_id, _ITEMS.c.ordinal == ordinal)
        .values(tries=_ITEMS.c.tries + 1, code=code, detail=detail[:500], at=utc_now())
        .returning(_ITEMS.c.tries)
    )
    return int(tries.scalar_one())


async def left(session: AsyncSession, bulk_id: str) -> tuple[int, int]:
    """How many items have no result, and how many of these were never tried."""
    query = select(func.count(), func.count().filter(col(BulkItem.tries) == 0)).where(
        BulkItem.bulk_id == bulk_id, col(BulkItem.state).in_(_OPEN)
    )
    open_ones, untried = (await session.exec(query)).one()
    return open_ones, untried


async def end_if_over(session: AsyncSession, bulk_id: str) -> int:
    """Ends the action if nothing is left to do; how many items are left. Those that a stop came before are skipped."""
    action = await get(session, bulk_id, for_update=True)
    if action is None or action.ended_at is not None:
        return 0
    if action.state == "stopping":
        await session.exec(
            update(_ITEMS)
            .where(_ITEMS.c.bulk_id == bulk_id, _ITEMS.c.state == "waiting")
            .values(state="skipped", detail=_STOPPED, at=utc_now())
        )
    open_ones, _ = await left(session, bulk_id)
    if open_ones == 0:
        action.state = "stopped" if action.state == "stopping" else "done"
        action.ended_at = utc_now()
        session.add(action)
    return open_ones


async def stop(session: AsyncSession, action: BulkAction, *, via: str) -> bool:
    """What was not sent yet is not sent; False if it has ended, or was stopped before. `action` is locked."""
    if action.ended_at is not None or action.state == "stopping":
        return False
    action.state, action.stopped_via = "stopping", via
    session.add(action)
    return True
