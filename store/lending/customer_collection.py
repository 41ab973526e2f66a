"""Customers' payments: claimed before their saga starts, one per payment that came in."""

from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import COLLECTION_CODE, new_id, payer_code
from core.money import Money
from core.msisdn import Msisdn
from models import kinds
from models.messages.lending.customer_collection import CollectionRequest
from models.messages.saga.policies import CollectionPolicy, PromptPolicy
from models.tables.lending.customer_collection import Collection
from models.tables.saga.incoming_payment import IncomingPayment
from store.saga import incoming, prompts, saga_rows, timeline

KIND: Final = kinds.named("customer-collection")


def _row(partner_id: str, amount_minor: int, currency: str, account_ref: str, requested_by: str) -> dict[str, Any]:
    now, row_id = utc_now(), new_id(KIND.id_prefix)
    return {
        "id": row_id, "partner_id": partner_id, "workflow_id": KIND.workflow_id(row_id),
        "requested_by": requested_by, "stage": "requested", "currency": currency, "amount_minor": amount_minor,
        "account_ref": account_ref[:200], "allocations": [], "policy": {}, "created_at": now, "updated_at": now,
    }  # fmt: skip


async def begin_prompted(
    session: AsyncSession, *, partner_id: str, amount: Money, account_ref: str, msisdn: Msisdn, requested_by: str
) -> Collection:
    """A payment to ask a customer for, with a code of its own for the payer to read."""
    row = _row(partner_id, amount.minor, amount.currency, account_ref, requested_by)
    row |= {"channel": "prompt", "msisdn": msisdn.e164, "payer_reference": payer_code(COLLECTION_CODE)}
    return await _written(session, row, "Asked for by the lender.")


async def of_incoming(session: AsyncSession, payment: IncomingPayment) -> Collection:
    """The one collection that was started by this payment, made if there is none."""
    row = _row(payment.partner_id, payment.amount_minor, payment.currency, payment.reference, "paybill")
    row |= {
        "channel": "paybill", "msisdn": payment.payer_phone, "incoming_id": payment.id, "receipt": payment.external_id,
        "paid_at": payment.happened_at,
    }  # fmt: skip
    found = await session.exec(select(Collection).where(Collection.incoming_id == payment.id))
    existing = found.first()
    return existing or await _written(session, row, f"Paid by paybill, receipt {payment.external_id}.")


async def request(session: AsyncSession, row: Collection) -> CollectionRequest:
    """The saga's input, made of its row: what came in by paybill, or what to ask the customer for."""
    amount = Money(row.amount_minor, row.currency)
    if row.channel == "paybill":
        arrived, prompt = await incoming.arrived_by(session, row.incoming_id), None
    else:
        arrived, prompt = (
            None,
            prompts.instruction(row, row.msisdn, row.payer_reference, amount, "daraja", "Loan payment"),
        )
    return CollectionRequest(
        collection_id=row.id,
        partner_id=row.partner_id,
        workflow_id=row.workflow_id,
        account_ref=row.account_ref,
        amount=amount,
        prompt=prompt,
        arrived=arrived,
        policy=CollectionPolicy.model_validate(row.policy),
    )


async def waiting_for(session: AsyncSession, payment: IncomingPayment) -> Collection | None:
    """The prompted collection whose code the payer gave, if its saga has not ended."""
    found = await session.exec(
        select(Collection).where(
            Collection.partner_id == payment.partner_id,
            Collection.payer_reference == payment.reference.strip().upper(),
            col(Collection.ended_at).is_(None),
        )
    )
    return found.first()


def prompt_policy(row: Collection) -> PromptPolicy:
    return CollectionPolicy.model_validate(row.policy).prompt


async def account_behind(session: AsyncSession, partner_id: str, payer_reference: str) -> str | None:
    """The account that an older prompt's code stands for: a customer may pay by the code again."""
    found = await session.exec(
        select(Collection.account_ref).where(
            Collection.partner_id == partner_id, Collection.payer_reference == payer_reference
        )
    )
    return found.first()


async def _written(session: AsyncSession, row: dict[str, Any], text: str) -> Collection:
    await saga_rows.add(session, Collection, row)
    await timeline.write(session, row["workflow_id"], "requested", text)
    made = await session.get(Collection, row["id"])
    assert made is not None
    return made
