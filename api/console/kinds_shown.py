"""A kind of saga as the console shows it: derived from its entry in `models/kinds.py` and its part of the API."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, Final, cast, get_args

from pydantic import BaseModel

from api.saga.resource import Resource
from api.saga.schemas import SagaOut
from models.kinds import SagaKind
from models.statuses import Status, status_of
from models.tables.saga.saga_row import SagaRow

# What of a row tells people which one it is, the surest first.
_NAMES: Final = ("account", "loan_id", "reference", "payer_reference", "operator", "method")
# Stages in which a person is asked.
_ASKS: Final = frozenset({"in_review", "post_review", "approval", "waiting_account", "unallocated"})
_TONES: Final[dict[Status, str]] = {
    "pending": "warn", "processing": "busy", "completed": "good", "failed": "bad", "cancelled": "plain",
}  # fmt: skip


@cache
def resource_of(kind: SagaKind) -> Resource[Any]:
    """What its part of the API says of it."""
    offered = vars(import_module(kind.module("api"))).values()
    return next(one for one in offered if isinstance(one, Resource) and one.kind is kind)


def stages_of(kind: SagaKind) -> tuple[str, ...]:
    """All stages that it may stand at, in their order."""
    return get_args(resource_of(kind).stage)


def facts_of(kind: SagaKind, row: SagaRow) -> dict[str, Any]:
    """The row as the API tells it, as JSON values: phones are masked, amounts have their decimals."""
    out = cast(type[BaseModel], resource_of(kind).out)
    return out.model_validate(resource_of(kind).out.facts(row)).model_dump(mode="json")


def own_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Those that this kind alone has."""
    return {name: value for name, value in facts.items() if name not in SagaOut.model_fields}


def subject_of(facts: Mapping[str, Any]) -> str:
    """What tells one from another in a list: a customer's account, a loan, a reference."""
    return next((str(facts[name]) for name in _NAMES if facts.get(name)), "–")


def tone_of(row: SagaRow) -> str:
    """The colour of its badge; its text says the same."""
    if row.ended_at is None and row.stage in _ASKS:
        return "bad"
    return _TONES[status_of(row.stage, ended=row.ended_at is not None)]


def currency_of(row: Any) -> str:
    """Every kind's row has one; some learn their amount later."""
    return str(row.currency)
