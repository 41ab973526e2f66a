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

    # Between sends of one instruction that is known not to have left (provider down, credential refused); the last step
    # is repeated for ever, since nothing left and somebody will mend it.
    resend_after: tuple[timedelta, ...] = Field(_minutes(0.1, 0.5, 1, 2, 5, 10, 15, 30, 60), min_length=1)
    # An instruction that was not handed over by then is not handed over any more: its process may have been paused.
    send_within: timedelta = timedelta(minutes=10)
    # Silence: wait this long for the report, then ask for the status, again and again (daraja.md 14.3).
    query_after: tuple[timedelta, ...] = _minutes(2, 4, 8, 15, 30, 60, 120, 240)
    # Silence for so long opens a case and lets a person decide, while the questions go on.
    case_after: timedelta = timedelta(minutes=15)
    # How long after its sending the rail may still carry an instruction out: until then nobody can say that it did not.
    settlement_window: timedelta = timedelta(hours=1)
    # How long the answer to a status question may take before the next wait begins.
    answer_within: timedelta = timedelta(seconds=30)
    # How far before our sending, or ahead of our clock, the provider's time of a payment may lie and be believed.
    clock_tolerance: timedelta = timedelta(minutes=10)
    # Between attempts, each under a new reference, after a definite failure whose reason allows another try.
    attempt_again_after: tuple[timedelta, ...] = _minutes(5, 30, 120)
    # From this amount (here KES 100,000.00) a success report is believed only after the provider's status answer agrees,
    # since a callback carries no signature. None: never asked.
    confirm_from_minor: int | None = Field(default=10_000_000, ge=0)
    # From this amount (here KES 10,000.00) a failure that only a callback told, and that the status question does not
    # confirm, goes to review instead of ending unpaid. None: a callback's word is enough.
    confirm_failure_from_minor: int | None = Field(default=1_000_000, ge=0)


class DisbursementPolicy(Message):
    """How patient a loan disbursement is."""

    payout: PayoutPolicy = PayoutPolicy()
    # Wallet too low or daily limit used up: look again this often, besides at once when money arrives. Each look costs
    # some eight history events, so a wait of months must fit.
    look_for_funds_every: timedelta = timedelta(hours=1)
    # The day has not come on which the loan may be paid and booked: look again this often, besides when the day begins.
    look_for_date_every: timedelta = timedelta(hours=3)
    # A provider's time of payment is believed from this long before our send until this far ahead of our clock.
    clock_slack: timedelta = timedelta(minutes=10)
    # The core-banking system does not answer before anything was paid: keep trying this often.
    read_again_every: timedelta = timedelta(minutes=5)
    # Posting back: try this long before a person is told, then go on at the slower pace for ever.
    post_for: timedelta = timedelta(minutes=30)
    post_again_every: timedelta = timedelta(minutes=15)


DEFAULT_DISBURSEMENT_POLICY = DisbursementPolicy()


class PromptPolicy(Message):
    """How patient one prompt to a payer is."""

    # Between sends of a prompt that is known not to have left; a payer does not wait as long as a payout may.
    resend_after: tuple[timedelta, ...] = Field(_minutes(0.05, 0.1, 0.25, 0.5, 1), min_length=1)
    # Silence: wait this long for the callback, then query, again and again. A prompt lives for about a minute; what is
    # said of it settles within a few (daraja.md 6).
    query_after: tuple[timedelta, ...] = _minutes(0.5, 0.5, 1, 2, 5, 10)
    # A queried failure is believed when this many answers in a row agree: one alone may come while the payment is in
    # flight (bank_ncba.md 3).
    failures_to_believe: int = Field(2, ge=1)
    # A prompt that was not handed over by then is not handed over any more.
    send_within: timedelta = timedelta(minutes=2)
    # How long after its sending a prompt may still be answered: until then nobody can say that it was not paid.
    settlement_window: timedelta = timedelta(minutes=10)
    # After the schedule: how long evidence (a confirmation, a bank's push, a pull) may still settle it.
    evidence_within: timedelta = timedelta(hours=2)
    # From this amount (here KES 100,000.00) a callback's success is believed only after a query agrees.
    confirm_from_minor: int | None = Field(default=10_000_000, ge=0)


class CollectionPolicy(Message):
    """How patient a customer's payment is, once it has come in."""

    prompt: PromptPolicy = PromptPolicy()
    read_again_every: timedelta = timedelta(minutes=5)
    # A provider's time of payment is believed from this long before we heard of it (a lost announcement comes with the pulled
    # list) until this far ahead of our clock.
    told_within: timedelta = timedelta(days=3)
    clock_slack: timedelta = timedelta(minutes=10)
    # Fineract does not answer while the account is looked up: a person is told after this, and it goes on.
    identify_for: timedelta = timedelta(minutes=15)
    post_for: timedelta = timedelta(minutes=30)
    post_again_every: timedelta = timedelta(minutes=15)


class TopUpPolicy(Message):
    """How patient a top-up is."""

    prompt: PromptPolicy = PromptPolicy()
    # A bank transfer that was announced may take days; afterwards a credit that names it is still booked, by a saga of
    # its own.
    money_within: timedelta = timedelta(days=7)


class FloatPolicy(Message):
    """How patient a float purchase is."""

    # Banks settle in minutes; a failed instruction is repeated by a person's command, never by the machine.
    leg: PayoutPolicy = PayoutPolicy(
        query_after=_minutes(1, 2, 4, 8, 15, 30, 60, 120), attempt_again_after=(), confirm_from_minor=None,
        confirm_failure_from_minor=None,
    )  # fmt: skip
    code_lives: timedelta = timedelta(minutes=10)
    code_tries: int = Field(5, ge=1, le=20)
    codes_at_most: int = Field(3, ge=1, le=10)
    confirm_within: timedelta = timedelta(minutes=30)
    shortest_wait: timedelta = timedelta(milliseconds=1)  # a timer must run, however late it is


DEFAULT_COLLECTION_POLICY = CollectionPolicy()
DEFAULT_TOP_UP_POLICY = TopUpPolicy()
DEFAULT_FLOAT_POLICY = FloatPolicy()
