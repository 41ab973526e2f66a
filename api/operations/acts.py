"""What needs more than one person, as data: found where each act is written, and derived for every kind of saga.

A module of the API that has `ACTS` adds its own; nobody lists them. An act says what is done in the transaction of the last
approval (`carry_out`) and what must be undone if it is rejected (`drop`). What a saga waits for is carried out by the saga.
"""

import pkgutil
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

import api
from api.http.auth import Principal
from api.http.dependencies import Services
from models import kinds
from models.tables.platform.approval import ApprovalRequest

# What is done once the approval is committed, such as starting a saga whose row stands already.
Afterwards = Callable[[], Awaitable[None]]

_DECISIONS: Final = ("paid", "not_paid", "posted", "partial", "allocate", "returned")
_SAGA_MEANS: Final = {
    "paid": "What nobody knows is taken for paid.",
    "not_paid": "What nobody knows is taken for not paid: the money is free again, or is sent anew.",
    "posted": "A posting is taken for made by hand.",
    "partial": "Only what was paid is posted.",
    "allocate": "Money without a name is somebody's.",
    "returned": "Money is taken for given back.",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Act:
    """`means` says in plain words what happens when it is approved. `scope` is what everybody needs who asks or answers.
    `carry_out` raises what forbids it by now; then the request stays open. One that is `alone_allowed` may be done by one
    person where its policy says that nobody else is needed."""

    name: str
    means: str
    scope: str
    carry_out: Callable[[AsyncSession, Services, ApprovalRequest], Awaitable[Afterwards | None]] | None = None
    drop: Callable[[AsyncSession, ApprovalRequest], Awaitable[None]] | None = None
    house_only: bool = False
    alone_allowed: bool = False

    def open_to(self, principal: Principal) -> bool:
        """Whether this credential may ask for it and answer."""
        return principal.may(self.scope) and (not self.house_only or principal.is_of_house)


@cache
def all_acts() -> dict[str, Act]:
    """By their names."""
    found = [*_written(), *_of_sagas()]
    by_name = {act.name: act for act in found}
    assert len(by_name) == len(found), "two acts have one name"
    return by_name


def acts_of(principal: Principal) -> list[str]:
    """The names of those that this credential may ask for and answer."""
    return [name for name, act in all_acts().items() if act.open_to(principal)]


def _written() -> Iterator[Act]:
    for module in pkgutil.walk_packages(api.__path__, f"{api.__name__}."):
        if not module.ispkg and not module.name.endswith("__main__"):
            yield from getattr(import_module(module.name), "ACTS", ())


def _of_sagas() -> Iterator[Act]:
    for kind in kinds.KINDS:
        for decision in _DECISIONS:
            yield Act(
                kind.act(decision), _SAGA_MEANS[decision], kind.scope("resolve"),
                house_only=not kind.partner_may_resolve,
            )  # fmt: skip
