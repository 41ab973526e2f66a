"""How payouts and prompts are carried, by provider. Every rail runs the same activities (`activities/saga/payouts.py`,
`prompts.py`); what differs is the queue that serves it, and how often and how long it is tried."""

from dataclasses import dataclass
from typing import Final

from workflows.saga import policies
from workflows.saga.policies import ActivityPolicy


@dataclass(frozen=True, slots=True)
class Rail:
    """`send` leaves once per call; `query` moves nothing. `pays`: money goes out by it; `prompts`: payers can be prompted,
    as far as the partner's connection has what that needs."""

    send: ActivityPolicy
    query: ActivityPolicy
    pays: bool
    prompts: bool

    @property
    def task_queue(self) -> str:
        return self.send.task_queue


RAILS: Final[dict[str, Rail]] = {
    "daraja": Rail(policies.SEND_MPESA, policies.QUERY_MPESA, pays=True, prompts=True),
    "bank": Rail(policies.SEND_BANK, policies.QUERY_BANK, pays=True, prompts=True),
}
