"""Five words for every kind of saga: each stage of each kind has one, whether it has ended or not."""

from typing import get_args

import pytest
from sqlalchemy import CheckConstraint

from models.kinds import KINDS, SagaKind
from models.statuses import MEANINGS, Status, status_of
from models.tables.base import table_of


def stages_of(kind: SagaKind) -> list[str]:
    """As the CHECK of its table names them."""
    constraints = table_of(kind.row_class).constraints
    checks = [str(one.sqltext) for one in constraints if isinstance(one, CheckConstraint)]
    (check,) = [text for text in checks if text.startswith("stage IN")]
    return [part.strip(" '") for part in check.partition("(")[2].rstrip(")").split(",") if part.strip(" '")]


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in KINDS])
def test_each_stage_that_its_table_allows_is_explained_and_no_other(kind: SagaKind) -> None:
    explained = kind.row_class.stages
    assert set(explained) == set(stages_of(kind))
    assert [stage for stage, means in explained.items() if not means.endswith(".")] == []
    # Whoever reads a list must see at a glance what is over.
    ends = {stage for stage in explained if explained[stage].startswith("Ended")}
    assert {status_of(stage, ended=True) for stage in ends} == {"completed", "failed", "cancelled"}
    assert {"requested", "in_review"}.isdisjoint(ends)


def test_each_status_is_explained() -> None:
    assert set(MEANINGS) == set(get_args(Status))


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
