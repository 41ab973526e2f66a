"""Every wait and limit of a saga, as data that travels in its input: a running saga keeps the policy it started with.

Durations are intervals, never moments. Tests shrink them; production changes them per partner without touching a saga
that already runs.
"""

from datetime import timedelta

from pydantic import Field

from models.messages.base import Message

_MINUTES = timedelta(minutes=1)


def _minutes(*steps: float) -> tuple[timedelta, ...]:
    return tuple(step * _MINUTES for step in steps)


class PayoutPolicy(Message):
    """How patient one payout is."""

    # Between sends of one instruction that is known not to have left (provider down); after the last step it fails.
    resend_after: tuple[timedelta, ...] = Field(_minutes(0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 60, 60, 60), min_length=1)
    # Silence: wait this long for the report, then ask for the status, again and again (daraja.md 14.3).
    ask_after: tuple[timedelta, ...] = _minutes(2, 4, 8, 15, 30, 60, 120, 240)
    # How long the answer to a status question may take before the next wait begins.
    answer_within: timedelta = timedelta(seconds=30)
    # Between attempts, each under a new reference, after a definite failure whose reason allows another try.
    attempt_again_after: tuple[timedelta, ...] = _minutes(5, 30, 120)
    # From this amount (here KES 100,000.00) a success report is believed only after the provider's status answer agrees,
    # since a callback carries no signature. None: never asked.
    confirm_from_minor: int | None = Field(default=10_000_000, ge=0)


class DisbursementPolicy(Message):
    """How patient a loan disbursement is."""

    payout: PayoutPolicy = PayoutPolicy()
    # Wallet too low or daily limit used up: look again this often, besides at once when money arrives. Each look costs
    # some eight history events, so a wait of months must fit.
    look_for_funds_every: timedelta = timedelta(hours=1)
    # The core-banking system does not answer before anything was paid: keep trying this often.
    read_again_every: timedelta = timedelta(minutes=5)
    # Posting back: try this long before a person is told, then go on at the slower pace for ever.
    post_for: timedelta = timedelta(minutes=30)
    post_again_every: timedelta = timedelta(minutes=15)


DEFAULT_DISBURSEMENT_POLICY = DisbursementPolicy()
