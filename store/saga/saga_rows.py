"""What the list rows of all sagas after the first are done to: read, locked, changed, paged. One function for each, whatever
the saga; what is particular to one saga is in the file of its own name."""

from typing import Any, Final, TypeVar

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.base import table_of
from models.tables.lending.customer_collection import Collection
from models.tables.lending.float_purchase import FloatPurchase
from models.tables.lending.wallet_top_up import TopUp
from models.tables.saga.saga_row import SagaRow

R = TypeVar("R", bound=SagaRow)

# The kind that a workflow id begins with, and its rows.
KINDS: Final[dict[str, type[SagaRow]]] = {
    "customer-collection": Collection,
    "wallet-top-up": TopUp,
    "float-purchase": FloatPurchase,
}


def workflow_id_of(kind: str, row_id: str) -> str:
    """`customer-collection/col_…`."""
    return f"{kind}/{row_id}"


def kind_of(workflow_id: str) -> type[SagaRow] | None:
    """The row class of a workflow id; None for a saga that keeps its rows elsewhere (disbursements)."""
    return KINDS.get(workflow_id.partition("/")[0])


async def of_workflow(session: AsyncSession, workflow_id: str) -> SagaRow | None:
    model = kind_of(workflow_id)
    if model is None:
        return None
    return (await session.exec(select(model).where(model.workflow_id == workflow_id))).first()


async def lock_living(session: AsyncSession, model: type[R], row_id: str) -> R | None:
    """The row, locked until the transaction ends; None once it has ended: a step that was believed dead and wakes up after
    its saga's end then does nothing."""
    found = await session.exec(select(model).where(model.id == row_id, col(model.ended_at).is_(None)).with_for_update())
    return found.first()


async def change(session: AsyncSession, workflow_id: str, *, ended: bool = False, **values: Any) -> None:
    """Changes the row of a saga that has not ended; `ended` ends it."""
    model = kind_of(workflow_id)
    assert model is not None, workflow_id
    table, now = table_of(model), utc_now()
    if ended:
        values["ended_at"] = now
    await session.exec(
        update(table)
        .where(table.c.workflow_id == workflow_id, table.c.ended_at.is_(None))
        .values(updated_at=now, **values)
    )


async def page(
    session: AsyncSession,
    model: type[R],
    *,
    partner_id: str | None = None,
    stage: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[R]:
    """Newest first; `before` is the id of the last row of the page before."""
    query = select(model).order_by(col(model.id).desc()).limit(limit)
    if partner_id:
        query = query.where(model.partner_id == partner_id)
    if stage:
        query = query.where(model.stage == stage)
    if before:
        query = query.where(col(model.id) < before)
    return list(await session.exec(query))


async def unstarted(session: AsyncSession, model: type[R], *, older_than: Any, limit: int) -> list[R]:
    """Rows that were claimed and whose workflow may never have been started, oldest first."""
    found = await session.exec(
        select(model)
        .where(model.stage == "requested", model.created_at < older_than)
        .order_by(col(model.id))
        .limit(limit)
    )
    return list(found)


async def unended(session: AsyncSession) -> set[str]:
    """The workflow ids of sagas that were started and have not ended, by our own rows."""
    ids: set[str] = set()
    for model in KINDS.values():
        query = select(model.workflow_id).where(col(model.ended_at).is_(None), model.stage != "requested")
        ids |= set(await session.exec(query))
    return ids
