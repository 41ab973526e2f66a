"""Where a saga's money is now, read from what was sent and what came in: one word of the same few for every kind; and when
the provider is asked next, if nobody knows."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import kinds
from models.tables.base import table_of
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.saga.payout_attempt import PayoutAttempt
from models.tables.saga.prompt import Prompt
from store.saga.unknown_outcomes import UNKNOWN_PAYOUTS, UNKNOWN_PROMPTS

_A, _P, _I = table_of(PayoutAttempt).c, table_of(Prompt).c, table_of(IncomingPayment).c
# With whoever is paid; sent, and nobody has said what became of it; on accounts of ours or the lender's; with whoever pays.
Money = Literal["with_client", "unknown", "with_us", "with_payer"]
# Between accounts of one owner: what was moved there has not left.
_OWN: Final = "bank_transfer"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """`next_query_at` is when the provider is asked what became of what is unknown."""

    money: Money
    next_query_at: datetime | None = None


async def of_workflows(session: AsyncSession, workflow_ids: Collection[str]) -> dict[str, Whereabouts]:
    """By workflow id, of those that are sagas."""
    sagas = {name: kind for name in workflow_ids if (kind := kinds.of_workflow(name)) is not None}
    if not sagas:
        return {}
    connection = await session.connection()
    sent: dict[str, list[Any]] = defaultdict(list)
    attempts = select(_A.workflow_id, _A.state, _A.kind, _A.next_query_at).where(_A.workflow_id.in_(sagas))
    for row in await connection.execute(attempts.order_by(_A.created_at)):
        sent[row.workflow_id].append(row)
    asked: dict[str, Any] = {}
    arrived: set[str] = set()
    if takers := [name for name, kind in sagas.items() if kind.takes_money]:
        prompts = select(_P.workflow_id, _P.state, _P.next_query_at).where(_P.workflow_id.in_(takers))
        asked = {row.workflow_id: row for row in await connection.execute(prompts.order_by(_P.created_at))}
        came = await connection.execute(select(_I.claimed_by).where(_I.claimed_by.in_(takers)))
        arrived = set(came.scalars())
    return {
        name: _of(kind.takes_money, sent.get(name, ()), asked.get(name), came=name in arrived)
        for name, kind in sagas.items()
    }


def _of(takes_money: bool, sent: Sequence[Any], asked: Any, *, came: bool) -> Whereabouts:
    for attempt in sent:
        if attempt.state in UNKNOWN_PAYOUTS:
            return Whereabouts("unknown", attempt.next_query_at)
    left = [one.state for one in sent if one.kind != _OWN and one.state not in ("failed", "void")]
    if left and left[-1] == "paid":
        return Whereabouts("with_client")
    if not takes_money or came or (asked and asked.state == "paid"):
        return Whereabouts("with_us")
    if asked and asked.state in UNKNOWN_PROMPTS:
        return Whereabouts("unknown", asked.next_query_at)
    return Whereabouts("with_payer")
