"""Which activities carry a payout, and how they are run: one rail per provider."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.saga.bank_payments import BankPayments
    from activities.saga.payouts import Payouts
    from workflows.saga import policies
    from workflows.saga.policies import ActivityPolicy


@dataclass(frozen=True, slots=True)
class Rail:
    """`send` leaves once per call; `ask` moves nothing."""

    send: Callable[..., Any]
    ask: Callable[..., Any]
    sending: ActivityPolicy
    asking: ActivityPolicy


RAILS: Final[dict[str, Rail]] = {
    "daraja": Rail(Payouts.send, Payouts.ask_status, policies.SEND, policies.ASK),
    "bank": Rail(BankPayments.send, BankPayments.ask_status, policies.SEND_BANK, policies.ASK_BANK),
}
