"""What may be done with a payment now, and why not: nothing is offered that would be refused, as far as that can be known."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, get_args

from api.console.kinds_shown import resource_of
from api.console.visitors import Visitor
from models.kinds import SagaKind
from models.messages.saga.cases import FACTS_OF
from models.messages.saga.status import Offer, SagaStatus
from models.tables.saga.saga_row import SagaRow

COMMANDS: Final = ("retry", "cancel")


@dataclass(frozen=True, slots=True)
class Act:
    """A command or decision, by its word. `fields` are what its form asks beside the evidence; `refused` is why it is not
    offered: the key of a text, or the saga's own sentence."""

    word: str
    fields: frozenset[str] = frozenset()
    two_people: bool = False
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Acts:
    """Commands always, with the reason where they are refused; decisions only where the stage has any."""

    commands: list[Act]
    decisions: list[Act]


def acts_of(
    visitor: Visitor, kind: SagaKind, row: SagaRow, status: SagaStatus | None, proposed_by: Iterable[str] = ()
) -> Acts:
    """`proposed_by` are the people who cannot agree to the proposal that waits, if one does."""
    why = _why_none(row, status)
    offered = {offer.word: offer for offer in (status.offers or ()) if status} if status else {}
    may_write, may_decide = visitor.may(kind, "write"), visitor.may(kind, "resolve")
    commands = [
        Act(word, refused=why or _of_scope(may_write) or _refusal(offered.get(word))) for word in COMMANDS
    ]  # fmt: skip
    if why:
        return Acts(commands, [])
    own = visitor.principal.people.intersection(proposed_by)
    decisions = [
        Act(
            word, _fields(kind, word), offered[word].two_people,
            _of_scope(may_decide) or offered[word].refused or ("refused.four_eyes" if word == "approve" and own else None),
        )
        for word in _words(kind) if word in offered
    ]  # fmt: skip
    return Acts(commands, decisions)


def _why_none(row: SagaRow, status: SagaStatus | None) -> str | None:
    if row.ended_at is not None:
        return "refused.ended"
    if status is None:
        return "refused.not_started" if row.stage == "requested" else "refused.silent"
    return None if status.offers is not None else "refused.old_worker"


def _of_scope(may: bool) -> str | None:
    return None if may else "refused.scope"


def _refusal(offer: Offer | None) -> str | None:
    return "refused.stage" if offer is None else offer.refused


def _words(kind: SagaKind) -> tuple[str, ...]:
    """The decisions that this kind knows."""
    return get_args(resource_of(kind).decision.model_fields["decision"].annotation)


def _fields(kind: SagaKind, word: str) -> frozenset[str]:
    """What belongs to the decision and its kind has a place for."""
    return FACTS_OF.get(word, frozenset()) & set(resource_of(kind).decision.model_fields)
