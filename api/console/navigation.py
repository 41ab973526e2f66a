"""What the console offers, in the order of its menu: one line here for each page that stands by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api.console.visitors import Visitor
from api.operations.acts import acts_of
from models.kinds import KINDS, PAYOUTS, SagaKind


@dataclass(frozen=True, slots=True)
class Entry:
    """`group` and `word` name its text; `may` says for whom it is."""

    group: str
    word: str
    path: str
    may: Callable[[Visitor], bool]


def _reads(kind: SagaKind) -> Callable[[Visitor], bool]:
    return lambda visitor: visitor.may(kind, "read")


def _reads_something(visitor: Visitor) -> bool:
    return any(entry.may(visitor) for entry in ENTRIES[1:]) or visitor.principal.may("partners:read")


ENTRIES: Final = (
    Entry("nav", "home", "/console", _reads_something),
    Entry("nav", "cases", "/console/cases", _reads(PAYOUTS)),
    Entry("nav", "approvals", "/console/approvals", lambda visitor: bool(acts_of(visitor.principal))),
    *(Entry("kinds", kind.resource, f"/console{kind.path}", _reads(kind)) for kind in KINDS),
    Entry("nav", "monitoring", "/console/monitoring", _reads(PAYOUTS)),
    Entry("nav", "bulk_actions", "/console/bulk-actions", lambda visitor: any(_reads(kind)(visitor) for kind in KINDS)),
)


def menu(visitor: Visitor) -> list[Entry]:
    """What this visitor may open."""
    return [entry for entry in ENTRIES if entry.may(visitor)]
