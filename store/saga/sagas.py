"""Any saga's row by its workflow id, whatever its kind."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Table, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.base import table_of
from models.tables.lending.loan_disbursement import Disbursement
from store.saga import saga_rows

TABLES: Final[dict[str, Table]] = {
    "loan-disbursement": table_of(Disbursement),
    **{kind: table_of(model) for kind, model in saga_rows.KINDS.items()},
}


@dataclass(frozen=True, slots=True)
class Saga:
    """What the desk must know of a saga; `kind` is what its workflow id begins with."""

    kind: str
    id: str
    partner_id: str
    workflow_id: str
    stage: str
    ended_at: datetime | None


def kind_of(workflow_id: str) -> str:
    return workflow_id.partition("/")[0]


async def find(session: AsyncSession, workflow_id: str) -> Saga | None:
    return (await find_all(session, [workflow_id])).get(workflow_id)


async def find_all(session: AsyncSession, workflow_ids: Iterable[str]) -> dict[str, Saga]:
    """Those of these sagas that have a row, by workflow id."""
    by_kind: dict[str, set[str]] = defaultdict(set)
    for workflow_id in workflow_ids:
        by_kind[kind_of(workflow_id)].add(workflow_id)
    connection, found = await session.connection(), {}
    for kind, wanted in by_kind.items():
        if kind not in TABLES:
            continue
        c = TABLES[kind].c
        rows = await connection.execute(
            select(c.id, c.partner_id, c.workflow_id, c.stage, c.ended_at).where(c.workflow_id.in_(wanted))
        )
        found.update({row.workflow_id: Saga(kind, *row) for row in rows})
    return found


async def has_ended(session: AsyncSession, workflow_id: str) -> bool:
    """Whether the saga's row says that it is over. One without a row has not ended."""
    saga = await find(session, workflow_id)
    return saga is not None and saga.ended_at is not None


async def turn(session: AsyncSession, workflow_id: str, from_stages: Iterable[str], stage: str) -> None:
    """A living saga's row goes from one of these stages to another; one that has moved on meanwhile stays where it is."""
    table = TABLES[kind_of(workflow_id)]
    await session.exec(
        update(table)
        .where(table.c.workflow_id == workflow_id, table.c.ended_at.is_(None), table.c.stage.in_(tuple(from_stages)))
        .values(stage=stage, updated_at=utc_now())
    )
