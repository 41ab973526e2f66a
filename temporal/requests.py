"""From a claimed row to its running saga: the request is made of the row alone, so that whoever finds a row that was never
started (a crash between claim and start) starts the same saga."""

from contextlib import suppress
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from core.ids import PROMPT
from core.money import Money
from core.msisdn import Msisdn
from models.messages.base import Message
from models.messages.lending.customer_collection import CollectionRequest
from models.messages.lending.float_purchase import FloatRequest
from models.messages.lending.wallet_top_up import TopUpRequest
from models.messages.saga.arrived_payments import ArrivedPayment
from models.messages.saga.policies import CollectionPolicy, FloatPolicy, TopUpPolicy
from models.messages.saga.prompts import PromptInstruction
from models.tables.lending.customer_collection import Collection
from models.tables.lending.float_purchase import FloatPurchase
from models.tables.lending.wallet_top_up import TopUp
from models.tables.saga.saga_row import SagaRow
from store.database import Database
from store.lending import wallet_top_up
from store.saga import incoming
from temporal.queues import FLOWS_QUEUE
from temporal.search_attributes import PARTNER, PROVIDER, STAGE


async def start_row(client: Client, database: Database, row: SagaRow) -> None:
    """Starts the saga of a claimed row, unless it runs or ran already. Raises RPCError if Temporal cannot be reached."""
    async with database.transaction() as session:
        workflow, request, provider = await _request(session, row)
    await start_saga(client, workflow, request, row.workflow_id, partner_id=row.partner_id, provider=provider)


async def start_saga(
    client: Client,
    workflow: str,
    request: Message,
    workflow_id: str,
    *,
    partner_id: str,
    provider: str,
    summary: str | None = None,
) -> None:
    """One saga per workflow id, for ever: a row in PostgreSQL is the true guard, this one answers quickest."""
    with suppress(WorkflowAlreadyStartedError):
        await client.start_workflow(
            workflow,
            request,
            id=workflow_id,
            task_queue=FLOWS_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=summary or workflow,
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(STAGE, "requested"),
                    SearchAttributePair(PARTNER, partner_id),
                    SearchAttributePair(PROVIDER, provider),
                ]
            ),
            # A large lender's backlog must not make a small one wait.
            priority=Priority(fairness_key=partner_id),
        )


async def _request(session: AsyncSession, row: SagaRow) -> tuple[str, Message, str]:
    """Workflow type, input, provider."""
    if isinstance(row, Collection):
        arrived = await _arrived(session, row.incoming_id) if row.channel == "paybill" else None
        return "CustomerCollection", _collection(row, arrived), "daraja"
    if isinstance(row, TopUp):
        arrived = await _arrived(session, row.incoming_id) if row.method == "unannounced" else None
        return "WalletTopUp", await _top_up(session, row, arrived), "bank"
    assert isinstance(row, FloatPurchase)
    return "FloatPurchase", _float(row), "bank"


async def _arrived(session: AsyncSession, incoming_id: str | None) -> ArrivedPayment:
    assert incoming_id is not None
    payment = await incoming.get(session, incoming_id)
    assert payment is not None
    return incoming.arrived(payment)


def _collection(row: Collection, arrived: ArrivedPayment | None) -> CollectionRequest:
    amount = Money(row.amount_minor, row.currency)
    return CollectionRequest(
        collection_id=row.id,
        partner_id=row.partner_id,
        workflow_id=row.workflow_id,
        account_ref=row.account_ref,
        amount=amount,
        ask=None if arrived else _prompt(row, row.msisdn, row.payer_reference, amount, "daraja", "Loan payment"),
        arrived=arrived,
        policy=CollectionPolicy.model_validate(row.policy),
    )


async def _top_up(session: AsyncSession, row: TopUp, arrived: ArrivedPayment | None) -> TopUpRequest:
    amount = Money(row.amount_minor, row.currency)
    reference = row.reference
    if arrived is not None:
        # A second or a late transfer under the code of a top-up that has ended is as plainly that partner's.
        named = await wallet_top_up.named_by(session, wallet_top_up.codes_in(arrived.reference), living=False)
        codes = [other.reference for other in named if other.partner_id == row.partner_id]
        reference = codes[0] if len(codes) == 1 == len(named) else None
    asks = row.method == "prompt"
    return TopUpRequest.model_validate(
        {
            "top_up_id": row.id,
            "partner_id": row.partner_id,
            "workflow_id": row.workflow_id,
            "method": row.method,
            "amount": amount,
            "reference": reference,
            "ask": _prompt(row, row.msisdn, row.reference, amount, "bank", "Top-up") if asks else None,
            "arrived": arrived,
            "policy": TopUpPolicy.model_validate(row.policy),
        }
    )


def _float(row: FloatPurchase) -> FloatRequest:
    return FloatRequest.model_validate(
        {
            "purchase_id": row.id,
            "partner_id": row.partner_id,
            "workflow_id": row.workflow_id,
            "operator": row.operator,
            "amount": Money(row.amount_minor, row.currency),
            "total": Money(row.total_minor, row.currency),
            "policy": FloatPolicy.model_validate(row.policy),
        }
    )


def _prompt(
    row: SagaRow, msisdn: str | None, payer_reference: str | None, amount: Money, provider: Any, description: str
) -> PromptInstruction:
    """The leg's id follows from the row's, so that a second start could only repeat the same prompt."""
    assert msisdn is not None
    assert payer_reference is not None
    return PromptInstruction(
        leg_id=f"{PROMPT}_{row.id.partition('_')[2]}",
        partner_id=row.partner_id,
        workflow_id=row.workflow_id,
        provider=provider,
        msisdn=Msisdn(msisdn),
        amount=amount,
        payer_reference=payer_reference,
        description=description,
    )
