"""Five words for every kind of saga: each stage of each kind has one, whether it has ended or not."""

import pytest
from sqlalchemy import CheckConstraint

from models.kinds import KINDS, SagaKind
from models.statuses import status_of
from models.tables.base import table_of


def stages_of(kind: SagaKind) -> list[str]:
    """As the CHECK of its table names them."""
    constraints = table_of(kind.row_class).constraints
    checks = [str(one.sqltext) for one in constraints if isinstance(one, CheckConstraint)]
    (check,) = [text for text in checks if text.startswith("stage IN")]
    return [part.strip(" '") for part in check.partition("(")[2].rstrip(")").split(",") if part.strip(" '")]


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in KINDS])
def test_a_kind_begins_pending_and_can_end_in_three_ways(kind: SagaKind) -> None:
    stages = stages_of(kind)
    assert status_of("requested", ended=False) == "pending"
    assert {status_of(stage, ended=True) for stage in stages} == {"completed", "failed", "cancelled"}
    assert {status_of(stage, ended=False) for stage in stages} == {"pending", "processing"}


@pytest.mark.parametrize(
    ("stage", "ended", "status"),
    [
        ("waiting_funds", False, "pending"),
        ("awaiting_code", False, "pending"),
        ("paying", False, "processing"),
        ("in_review", False, "processing"),
        ("waiting_account", False, "processing"),  # the money is with us already
        ("completed", True, "completed"),
        ("merged", True, "completed"),
        ("withdrawn", True, "cancelled"),
        ("refused", True, "failed"),
        ("returned", True, "failed"),
        ("expired", True, "failed"),
    ],
)
def test_each_stage_has_its_word(stage: str, ended: bool, status: str) -> None:
    assert status_of(stage, ended=ended) == status
