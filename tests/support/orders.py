"""Orders to providers, as the legs of sagas give them."""

from datetime import timedelta
from typing import Any

from core.clock import utc_now
from core.money import Money
from core.msisdn import Msisdn
from models.messages.saga.payouts import PayoutInstruction, PreviousFailure, QueryPayout, SendPayout
from models.messages.saga.prompts import PromptInstruction, SendPrompt

_MINUTES = timedelta(minutes=10)


def payout_instruction(leg_id: str, partner_id: str, workflow_id: str, **more: Any) -> PayoutInstruction:
    """KES 1,250.00 to a phone by M-Pesa, unless `more` says otherwise."""
    usual = {
        "leg_id": leg_id, "role": "client", "begun_at": utc_now(), "partner_id": partner_id,
        "workflow_id": workflow_id, "provider": "daraja", "msisdn": Msisdn("+254712345678"),
        "amount": Money(125_000, "KES"), "remarks": "Loan 91",
    }  # fmt: skip
    return PayoutInstruction.model_validate(usual | more)


def to_send(instruction: PayoutInstruction, number: int = 1, failed: PreviousFailure | None = None) -> SendPayout:
    return SendPayout(
        instruction=instruction,
        reference=f"{instruction.leg_id}-a{number}",
        number=number,
        send_by=utc_now() + _MINUTES,
        previous=failed,
    )


def to_ask(instruction: PayoutInstruction, number: int = 1) -> QueryPayout:
    return QueryPayout(instruction=instruction, reference=f"{instruction.leg_id}-a{number}", number=number)


def to_prompt(instruction: PromptInstruction) -> SendPrompt:
    now = utc_now()
    return SendPrompt(
        instruction=instruction, reference=f"{instruction.leg_id}-p1", begun_at=now, send_by=now + _MINUTES
    )
