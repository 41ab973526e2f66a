"""What is wrong, why, and what happens next by itself, each in one plain sentence."""

from collections.abc import Callable
from typing import Final

from api.operations.acts import all_acts
from core.money import Money
from core.texts import clean
from models import kinds, providers
from models.messages.saga.cases import KINDS
from models.problems import MEANS
from notices import reasons
from store.saga.attention import Row

_LONGEST: Final = 300


def means(row: Row) -> str:
    """What kind of problem it is: a case's own meaning, an act's, or the problem's."""
    if row.case_id is not None and row.about in KINDS:
        return KINDS[row.about].means
    if row.problem == "approval" and row.about in all_acts():
        return all_acts()[row.about].means
    return MEANS[row.problem]


def why(row: Row) -> str | None:
    """Whose trouble it is and what, such as "Fineract: Fineract was still working on the account.". By its code, as people
    read it; else in the words that were written down."""
    if row.problem == "connection" and row.case_id is None:
        return _said(row)
    if row.code and row.code != "-" and reasons.has_words(row.code, _about(row)):
        sentence = reasons.sentence(row.code, "en", _about(row))
        return f"{_who(row)}: {sentence}" if _who(row) else sentence
    return _said(row)


def next_step(row: Row) -> str:
    """What happens by itself, and what does not; `next_at` beside it says when."""
    return _NEXT[row.problem](row)


def _said(row: Row) -> str | None:
    return clean(row.says, _LONGEST) if row.says else None


def _who(row: Row) -> str | None:
    known = {provider.name: provider.title for provider in providers.PROVIDERS}
    title = known.get(row.about)
    return title and title[0].upper() + title[1:]


def _about(row: Row) -> str:
    """A provider's number means another thing of a payout than of a prompt."""
    kind = kinds.of_workflow(row.workflow_id or "")
    return "prompt" if kind is not None and kind.money == "in" else "payout"


def _decision(row: Row) -> str:
    if row.next_at is not None:
        return "It is tried again by itself; a person may decide before."
    actions = KINDS[row.about].actions if row.about in KINDS else ()
    return "Nothing happens until a person decides." if actions else "Nothing waits for it; look, and close it."


def _unknown(row: Row) -> str:
    if row.next_at is None:
        return "The provider is not asked again by itself; a person must find out."
    return "The provider is asked again."


def _funds(row: Row) -> str:
    saga = row.saga
    if row.needed_minor is None or saga is None or saga.amount is None:
        return "It goes on by itself once the wallet holds enough."
    needed = Money(row.needed_minor, saga.amount.currency)
    return f"It goes on by itself, in its turn, once the wallet has {needed} free."


_NEXT: Final[dict[str, Callable[[Row], str]]] = {
    "decision": _decision,
    "unknown_outcome": _unknown,
    "not_sent": lambda row: "It is sent again." if row.next_at else "It is sent once the provider can be reached.",
    "posting": lambda row: (
        "It is booked again." if row.next_at else "Nothing happens until a person books or retries it."
    ),
    "waiting_funds": _funds,
    "not_started": lambda row: "The sweep starts it; if it does not, no worker runs or Temporal is away.",
    "connection": lambda row: "Nothing is sent until working credentials are given and proven.",
    "approval": lambda row: "It happens once another person agrees; else it expires.",
    "message": lambda row: "It is not sent again.",
    "delivery": lambda row: (
        "It is given to its saga again." if row.next_at else "Nothing happens until somebody looks."
    ),
    "schedule": lambda row: "It runs at its next turn, if workers run and Temporal is there (kivuko schedules list).",
}
