"""Payments as sagas write them down, without any saga."""

from typing import Any

from core.clock import utc_now
from core.ids import PAYOUT, new_id
from core.money import Money
from core.msisdn import Msisdn
from models.messages.saga.arrived_payments import AnnouncedPayment
from store.database import Database
from store.lending import customer_collection, loan_disbursement
from store.saga import incoming, payouts, saga_rows
from tests.support.orders import payout_instruction, to_send

PHONE, NAME, RECEIPT = "+254712345678", "Jane Wanjikũ Njeri", "UKL4X7QW2D"


async def paid_loan(
    database: Database,
    partner_id: str,
    loan_id: int = 91,
    *,
    phone: str = PHONE,
    name: str = NAME,
    receipt: str | None = RECEIPT,
    stage: str = "completed",
    ended: bool = True,
) -> dict[str, str]:
    """A loan that was read, sent and paid, as the saga writes it down; the ids that it has. Without a receipt it was sent
    and nobody has said what became of it."""
    leg = new_id(PAYOUT)
    async with database.transaction() as session:
        claim = await loan_disbursement.claim(
            session, partner_id=partner_id, loan_id=loan_id, currency="KES", source="api", requested_by="test",
            again_after=frozenset(),
        )  # fmt: skip
        workflow_id = claim.workflow_id
        await saga_rows.change(
            session, workflow_id, stage="paying", account_no=f"0000000{loan_id}", amount_minor=1_250_000,
            client_name=name, client_phone=phone, client_reference="invoice/7",
        )  # fmt: skip
        order = to_send(payout_instruction(leg, partner_id, workflow_id, msisdn=Msisdn(phone)))
        await payouts.begin(session, order, account="600997")
        await payouts.mark(session, f"{leg}-a1", "accepted", provider_reference=f"AG_20261121_{leg[-10:]}")
        if receipt is not None:
            await payouts.finish(session, f"{leg}-a1", "paid", receipt=receipt)
        receipts = [receipt] if receipt else []
        await saga_rows.change(session, workflow_id, stage=stage, receipts=receipts, ended=ended)
    return {
        "id": claim.disbursement_id, "workflow": workflow_id, "leg": leg, "attempt": f"{leg}-a1",
        "conversation": f"AG_20261121_{leg[-10:]}", "account": f"0000000{loan_id}",
    }  # fmt: skip


async def paybill(database: Database, partner_id: str, external_id: str, *, claimed: bool = True, **more: Any) -> str:
    """A payment by paybill, and its collection unless nobody has claimed it; the id of what is found."""
    told = AnnouncedPayment.model_validate(
        {
            "partner_id": partner_id, "provider": "daraja", "external_id": external_id, "account": "600997",
            "amount": Money(50_000, "KES"), "reference": "0711 000 222", "payer_name": "PETER OTIENO",
            "payer_phone": Msisdn("+254711000222"), "happened_at": utc_now(), "channel": "confirmation", **more,
        }
    )  # fmt: skip
    async with database.transaction() as session:
        payment = await incoming.record(session, told)
        if not claimed:
            return payment.id
        row = await customer_collection.of_incoming(session, payment)
        await incoming.claim(session, payment.id, row.workflow_id)
        return row.id
