"""Takes in payments that providers announce: one row, one claim, one saga, whichever channel speaks first or again.

record the payment ─► claimed? ── yes ─► that saga hears of it again, or has booked it
                         │ no
                         ├─► a saga waits for the code that the payer gave ─► claimed for it, told by update
                         └─► none does ─► a saga of its own, started with the payment
"""

from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any, Protocol, cast

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from core.errors import Conflict
from models import kinds
from models.messages.inbound import Reading
from models.messages.saga.arrived_payments import AnnouncedPayment, ArrivedPayment, PaymentTaken
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.saga.saga_row import MoneyInRow, SagaRow
from store.database import Database
from store.saga import cases, incoming, saga_rows, timeline
from temporal.starts import start_row

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Claimed:
    """The saga that has the payment; `own` if it was started by it."""

    row: MoneyInRow
    payment: ArrivedPayment
    own: bool


class TakesPayments(Protocol):
    """What the store file of a kind that takes announced payments offers."""

    async def waiting_for(self, session: AsyncSession, payment: IncomingPayment) -> MoneyInRow | None:
        """The living saga that the payment names; nothing but its whole code counts."""

    async def of_incoming(self, session: AsyncSession, payment: IncomingPayment) -> MoneyInRow:
        """The one saga that was started by this payment, made if there is none."""


def announcement(announced: AnnouncedPayment, body: Any = None) -> Reading:
    """An announced payment for the inbox, where a repeat by the same channel is only counted. From there it is delivered to
    `take_in`, again and again until a saga has it. `body` is what came, fit to be read by people."""
    return Reading(
        provider=announced.provider,
        kind="payment",
        external_id=f"{announced.partner_id}:{announced.channel}:{announced.external_id}:{announced.amount.minor}",
        reference=announced.external_id,
        body=body or {"channel": announced.channel, "external_id": announced.external_id},
        report=announced.model_dump(mode="json"),
        partner_id=announced.partner_id,
    )


async def take_in(client: Client, database: Database, announced: AnnouncedPayment, *, rpc_timeout: timedelta) -> str:
    """The outcome for the inbox: "taken", "redundant" (booked or heard of before), "contradiction". Harmless to repeat at any
    point. Raises RPCError or a time-out where the saga could not be reached."""
    try:
        async with database.transaction() as session:
            claimed = await _claim(session, announced)
    except Conflict as differs:
        return await _contradiction(database, announced, differs)
    if claimed.own:
        return await _start_own(client, database, claimed)
    if claimed.row.stage == "requested":
        await start_row(client, database, claimed.row)
    if await _tell(client, claimed, rpc_timeout):
        return "taken"
    if _has_booked(claimed):
        return "redundant"
    async with database.transaction() as session:
        own = await _pass_on(session, claimed)
    return await _start_own(client, database, own) if own else "redundant"


async def _claim(session: AsyncSession, announced: AnnouncedPayment) -> _Claimed:
    """Raises Conflict (code "payment_differs")."""
    payment = await incoming.record(session, announced)
    holder = payment.claimed_by
    if holder is not None:
        row = await saga_rows.of_workflow(session, holder)
        assert row is not None, holder
        return _claimed(row, payment, announced)
    row = await _waiting(session, payment) or await _own_row(session, payment)
    await incoming.claim(session, payment.id, row.workflow_id)
    return _claimed(row, payment, announced)


def _claimed(row: SagaRow, payment: IncomingPayment, announced: AnnouncedPayment) -> _Claimed:
    assert isinstance(row, MoneyInRow), row.workflow_id
    own = row.incoming_id == payment.id and row.began_by_payment
    return _Claimed(row, incoming.arrived(payment, announced.channel), own)


async def _waiting(session: AsyncSession, payment: IncomingPayment) -> MoneyInRow | None:
    """The living saga whose code the payer gave, of whatever kind."""
    for kind in kinds.taking(payment.provider):
        if (row := await _leaf(kind).waiting_for(session, payment)) is not None:
            return row
    return None


async def _own_row(session: AsyncSession, payment: IncomingPayment) -> MoneyInRow:
    return await _leaf(kinds.taking(payment.provider)[0]).of_incoming(session, payment)


def _leaf(kind: kinds.SagaKind) -> TakesPayments:
    return cast(TakesPayments, import_module(kind.module("store")))


async def _start_own(client: Client, database: Database, claimed: _Claimed) -> str:
    if claimed.row.stage != "requested":
        return "redundant"
    await start_row(client, database, claimed.row)
    return "taken"


async def _tell(client: Client, claimed: _Claimed, rpc_timeout: timedelta) -> bool:
    """Whether the saga that waits took the payment, now or before."""
    try:
        taken: PaymentTaken = await client.get_workflow_handle(claimed.row.workflow_id).execute_update(
            "payment_arrived",
            claimed.payment,
            id=f"in:{claimed.payment.incoming_id}",
            result_type=PaymentTaken,
            rpc_timeout=rpc_timeout,
        )
    except WorkflowUpdateFailedError:
        return False
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return False
    return taken.effect != "refused"


def _has_booked(claimed: _Claimed) -> bool:
    return claimed.row.incoming_id == claimed.payment.incoming_id


async def _pass_on(session: AsyncSession, claimed: _Claimed) -> _Claimed | None:
    """The saga that it was claimed for has ended without it: the payment gets one of its own. None if that saga booked it
    after all in the meantime."""
    payment = await incoming.get(session, claimed.payment.incoming_id)
    assert payment is not None
    before = await saga_rows.of_workflow(session, claimed.row.workflow_id)
    if isinstance(before, MoneyInRow) and _has_booked(_Claimed(before, claimed.payment, own=False)):
        return None
    row = await _own_row(session, payment)
    if not await incoming.pass_on(session, payment.id, from_=claimed.row.workflow_id, to=row.workflow_id):
        log.info("payment_passed_on_before", incoming_id=payment.id)
    await timeline.write(
        session, claimed.row.workflow_id, f"passed-on:{payment.id}",
        f"A payment came after the end; it is booked by {row.workflow_id}.", tone="warning",
    )  # fmt: skip
    return _Claimed(row, claimed.payment, own=True)


async def _contradiction(database: Database, announced: AnnouncedPayment, differs: Conflict) -> str:
    async with database.transaction() as session:
        await cases.open_case(
            session,
            key=f"payment:{announced.partner_id}:{announced.provider}:{announced.external_id}:{announced.amount}",
            kind="payment_contradiction",
            summary=differs.detail[:500],
            evidence={
                "external_id": announced.external_id,
                "channel": announced.channel,
                "said": str(announced.amount),
            },
            partner_id=announced.partner_id,
        )
    return "contradiction"
