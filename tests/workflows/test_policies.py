"""What the rules of retrying must never become."""

from datetime import timedelta
from typing import get_args

import pytest

from activities.clients.provider_clients import opener
from models import providers
from models.messages.connections.reach import Patience
from models.messages.saga.payouts import PayoutInstruction
from models.messages.saga.policies import DEFAULT_DISBURSEMENT_POLICY
from models.messages.saga.prompts import PromptInstruction
from workflows.saga import policies
from workflows.saga.rails import RAILS

EVERY = [value for value in vars(policies).values() if isinstance(value, policies.ActivityPolicy)]


@pytest.mark.parametrize("provider", sorted(RAILS))
def test_every_rail_sends_and_prompts_by_exactly_one_activity_attempt(provider: str) -> None:
    """Temporal's server-side retry would show the saga only the last error and hide a doubtful one."""
    assert RAILS[provider].send.retry.maximum_attempts == 1


def test_a_rail_is_asked_on_the_queue_by_which_it_sends() -> None:
    for rail in RAILS.values():
        assert rail.query.task_queue == rail.send.task_queue == rail.task_queue


def test_the_workers_can_open_every_rail_for_what_it_carries() -> None:
    for provider in providers.PROVIDERS:
        offered = opener(provider.name)
        assert (hasattr(offered, "payouts"), hasattr(offered, "prompts")) == (provider.pays, provider.prompts)
    names = {provider.name for provider in providers.RAILS}
    assert RAILS.keys() == names == set(get_args(PayoutInstruction.model_fields["provider"].annotation))
    assert names == set(get_args(PromptInstruction.model_fields["provider"].annotation))


def test_books_and_postings_are_retried_for_ever() -> None:
    assert policies.BOOKS.retry.maximum_attempts == 0
    assert policies.POST.retry.maximum_attempts == 0


def test_every_activity_has_a_time_limit_and_a_sign_of_life() -> None:
    assert len(EVERY) >= 7
    for policy in EVERY:
        assert policy.heartbeat < policy.start_to_close


def test_a_provider_gives_up_before_its_activity_does() -> None:
    """Else a slow answer would be lost with the activity, though it was on its way."""
    longest = timedelta(seconds=50 + 20)  # the most that Patience allows for reading and connecting
    fields = Patience.model_fields
    limits = {name: fields[name].metadata[-1].le for name in ("read_seconds", "connect_seconds")}
    assert limits == {"read_seconds": 50, "connect_seconds": 20}
    assert all(longest < rail.send.start_to_close for rail in RAILS.values())


def test_a_provider_is_asked_several_times_before_a_person_is() -> None:
    """daraja.md 14.3: after 2, 4, 8, 15, 30, 60 … minutes."""
    minutes = [step / timedelta(minutes=1) for step in DEFAULT_DISBURSEMENT_POLICY.payout.query_after]
    assert minutes[:6] == [2, 4, 8, 15, 30, 60]
    assert minutes == sorted(minutes)
