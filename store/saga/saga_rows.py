"""The list rows of all sagas: read, locked, changed, paged, whatever the kind. What is particular to one kind is in the
file of its own name."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Table, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models import kinds
from models.statuses import CANCELLED, COMPLETED, PENDING, POSTING, Status
from models.tables.base import table_of
from models.tables.saga.saga_row import SagaRow
from store.saga import search_terms

R = TypeVar("R", bound=SagaRow)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rows of a list are wanted; what is None asks for nothing. `created_before` is not in the range itself."""

    status: Status | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    client_reference: str | None = None


# ------------------------------------------------------------------------------------------------- one saga, of any kind


async def add(session: AsyncSession, model: type[SagaRow], row: Mapping[str, Any]) -> bool:
    """A new saga's row, with what it is found by; False, and nothing is changed, if a unique index has one of its kind
    already."""
    table = table_of(model)
    made = await session.exec(insert(table).values(row).on_conflict_do_nothing().returning(table.c.id))
    if made.first() is None:
        return False
    await search_terms.write(session, model, row)
    return True


async def of_workflow(session: AsyncSession, workflow_id: str) -> SagaRow | None:
    return (await of_workflows(session, [workflow_id])).get(workflow_id)


async def of_workflows(session: AsyncSession, workflow_ids: Iterable[str]) -> dict[str, SagaRow]:
    """Those of these sagas that have a row, by workflow id."""
    by_kind: dict[kinds.SagaKind, set[str]] = defaultdict(set)
    for workflow_id in workflow_ids:
        kind = kinds.of_workflow(workflow_id)
        if kind is not None:
            by_kind[kind].add(workflow_id)
    found: dict[str, SagaRow] = {}
    for kind, wanted in by_kind.items():
        model = kind.row_class
        rows = await session.exec(select(model).where(col(model.workflow_id).in_(wanted)))
        found.update({row.workflow_id: row for row in rows})
    return found


async def has_ended(session: AsyncSession, workflow_id: str) -> bool:
    """Whether the saga's row says that it is over. One without a row has not ended."""
    kind = kinds.of_workflow(workflow_id)
    if kind is None:
        return False
    model = kind.row_class
    ended = await session.exec(
        select(model.id).where(model.workflow_id == workflow_id, col(model.ended_at).is_not(None))
    )
    return ended.first() is not None


async def lock_living(session: AsyncSession, model: type[R], row_id: str) -> R | None:
    """The row, locked until the transaction ends; None once it has ended: a step that was believed dead and wakes up after
    its saga's end then does nothing."""
    found = await session.exec(select(model).where(model.id == row_id, col(model.ended_at).is_(None)).with_for_update())
    return found.first()


# ------------------------------------------------------------------- changes, of which an ended row takes none: a late write


async def change(session: AsyncSession, workflow_id: str, *, ended: bool = False, **values: Any) -> None:
    """Sets columns of a living saga's row; `ended` ends it. What it is found by follows; what was to be tried again is over
    with its stage."""
    model, now = _model(workflow_id), utc_now()
    table = table_of(model)
    if ended:
        values["ended_at"] = now
    if values.get("stage", POSTING[0]) not in POSTING:
        values = {"next_try_at": None, "trying_since": None, "tries": None, **values}
    changed = update(table).where(table.c.workflow_id == workflow_id, table.c.ended_at.is_(None))
    if not any(values.get(term.column) for term in model.search.hashed):
        await session.exec(changed.values(updated_at=now, **values))
        return
    found = await session.exec(changed.values(updated_at=now, **values).returning(*table.c))
    if (row := found.mappings().first()) is not None:
        await search_terms.write(session, model, dict(row))


async def tried(session: AsyncSession, workflow_id: str, *, code: str, reason: str, again_at: datetime) -> None:
    """Why a step did not go this time, in plain words, and when it is tried again."""
    row = _table(workflow_id).c
    await change(
        session, workflow_id, reason_code=code, reason=reason[:500], next_try_at=again_at,
        trying_since=func.coalesce(row.trying_since, utc_now()), tries=func.coalesce(row.tries, 0) + 1,
    )  # fmt: skip


async def turn(session: AsyncSession, workflow_id: str, from_stages: Iterable[str], stage: str) -> None:
    """Its stage goes from one of these to another; a saga that has moved on meanwhile stays where it is."""
    table = _table(workflow_id)
    await session.exec(
        update(table)
        .where(table.c.workflow_id == workflow_id, table.c.ended_at.is_(None), table.c.stage.in_(tuple(from_stages)))
        .values(stage=stage, updated_at=utc_now())
    )


def _model(workflow_id: str) -> type[SagaRow]:
    kind = kinds.of_workflow(workflow_id)
    assert kind is not None, workflow_id
    return kind.row_class


def _table(workflow_id: str) -> Table:
    return table_of(_model(workflow_id))


# ---------------------------------------------------------------------------------------------------------------- many


async def page(
    session: AsyncSession,
    model: type[R],
    *,
    partner_id: str | None = None,
    stage: str | None = None,
    before: str | None = None,
    limit: int = 50,
    only: Filters | None = None,
) -> list[R]:
    """Newest first; `before` is the id of the last row of the page before."""
    query = select(model).order_by(col(model.id).desc()).limit(limit)
    if only is not None:
        query = query.where(*_conditions(model, only))
    if partner_id:
        query = query.where(model.partner_id == partner_id)
    if stage:
        query = query.where(model.stage == stage)
    if before:
        query = query.where(col(model.id) < before)
    return list(await session.exec(query))


def _conditions(model: type[SagaRow], only: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if only.status is not None:
        found.append(_has_status(model, only.status))
    if only.created_from is not None:
        found.append(col(model.created_at) >= only.created_from)
    if only.created_before is not None:
        found.append(col(model.created_at) < only.created_before)
    if only.client_reference is not None:
        found.append(col(model.client_reference) == only.client_reference)
    return found


def _has_status(model: type[SagaRow], status: Status) -> ColumnElement[bool]:
    """The condition that `models/statuses.py: status_of` states for one row."""
    stage, lives = col(model.stage), col(model.ended_at).is_(None)
    if status == "pending":
        return lives & stage.in_(PENDING)
    if status == "processing":
        return lives & stage.not_in(PENDING)
    if status == "completed":
        return ~lives & stage.in_(COMPLETED)
    if status == "cancelled":
        return ~lives & stage.in_(CANCELLED)
    return ~lives & stage.not_in((*COMPLETED, *CANCELLED))


async def unstarted(session: AsyncSession, *, older_than: datetime, limit: int) -> list[SagaRow]:
    """Rows that were claimed and whose workflow may never have been started; of each kind the oldest, at most `limit`."""
    rows: list[SagaRow] = []
    for kind in kinds.KINDS:
        model = kind.row_class
        rows += await session.exec(
            select(model)
            .where(model.stage == "requested", model.created_at < older_than)
            .order_by(col(model.id))
            .limit(limit)
        )
    return rows


async def unended(session: AsyncSession) -> set[str]:
    """The workflow ids of sagas that were started and have not ended, by our own rows."""
    ids: set[str] = set()
    for kind in kinds.KINDS:
        model = kind.row_class
        ids |= set(
            await session.exec(
                select(model.workflow_id).where(col(model.ended_at).is_(None), model.stage != "requested")
            )
        )
    return ids
