"""How payouts and prompts are carried, by provider. Every rail runs the same activities (`activities/saga/payouts.py`,
`prompts.py`); what differs is the queue that serves it."""

from dataclasses import dataclass
from typing import Final

from models import providers
from workflows.saga import policies
from workflows.saga.policies import ActivityPolicy


@dataclass(frozen=True, slots=True)
class Rail:
    """`send` leaves once per call; `query` moves nothing."""

    send: ActivityPolicy
    query: ActivityPolicy

    @property
    def task_queue(self) -> str:
        return self.send.task_queue


RAILS: Final = {rail.name: Rail(policies.send_by(rail.name), policies.query_by(rail.name)) for rail in providers.RAILS}
