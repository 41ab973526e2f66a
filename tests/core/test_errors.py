from datetime import timedelta

import pytest

from core import errors
from core.errors import KivukoError, Rejected, Throttled, Transient, Unknown

TREE = {
    Rejected: {"InvalidRequest", "InsufficientFunds", "LimitExceeded", "NotAllowed", "NotFound", "Conflict"},
    Transient: {"NotReached", "Throttled", "Busy"},
    Unknown: {"NoAnswer", "Garbled"},
}
ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, KivukoError)]


@pytest.mark.parametrize("branch", TREE)
def test_each_error_hangs_on_the_branch_that_says_what_to_do_next(branch: type[KivukoError]) -> None:
    assert {error.__name__ for error in ALL if error.__base__ is branch} == TREE[branch]


def test_no_error_is_on_two_branches() -> None:
    for error in ALL:
        assert sum(issubclass(error, branch) for branch in TREE) == (0 if error is KivukoError else 1)


def test_codes_are_distinct_words() -> None:
    codes = [error.default_code for error in ALL]
    assert len(codes) == len(set(codes))
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)


@pytest.mark.parametrize("kind", ALL)
def test_an_error_carries_its_code_its_sentence_and_its_facts(kind: type[KivukoError]) -> None:
    plain = kind("It went wrong.")
    assert (plain.code, plain.detail, plain.extra) == (kind.default_code, "It went wrong.", {})
    assert str(plain) == f"{kind.default_code}: It went wrong."
    told = kind("It went wrong.", code="own_code", field="phone")
    assert (told.code, told.extra) == ("own_code", {"field": "phone"})


def test_a_throttle_carries_what_the_other_side_asked_for() -> None:
    assert Throttled("Slow down.").retry_after is None
    throttled = Throttled("Slow down.", retry_after=timedelta(seconds=7), gateway="damza")
    assert throttled.retry_after == timedelta(seconds=7)
    assert throttled.extra == {"gateway": "damza"}
