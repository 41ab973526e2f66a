import re
import time

from hypothesis import given
from hypothesis import strategies as st

from core import ids


def test_an_id_says_what_it_is() -> None:
    assert re.fullmatch(r"prt_[0-9a-hjkmnp-tv-z]{26}", ids.new_id(ids.PARTNER))


def test_ids_of_later_milliseconds_sort_later() -> None:
    made = []
    for _ in range(20):
        made.append(ids.new_id(ids.PAYOUT))
        before = time.time_ns() // 1_000_000
        while time.time_ns() // 1_000_000 == before:
            pass
    assert made == sorted(made)


def test_ids_of_one_moment_differ() -> None:
    assert len({ids.new_id(ids.PAYOUT) for _ in range(10_000)}) == 10_000


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\n")), min_size=1, max_size=5))
def test_a_derived_id_is_the_same_wherever_it_is_asked_for(facts: list[str]) -> None:
    made = ids.derived_id(ids.PAYOUT, *facts)
    assert made == ids.derived_id(ids.PAYOUT, *facts)
    assert re.fullmatch(r"pay_[0-9a-hjkmnp-tv-z]{26}", made)
    assert made != ids.derived_id(ids.PAYOUT, *facts, "more")


def test_other_facts_have_other_ids() -> None:
    made = {ids.derived_id("pay", "loan-disbursement/p/1", role, part, tries)
            for role in ("client", "returning") for part in range(1, 12) for tries in range(12)}  # fmt: skip
    assert len(made) == 2 * 11 * 12


def test_prefixes_are_distinct() -> None:
    prefixes = [value for name, value in vars(ids).items() if name.isupper() and not name.startswith("_")]
    assert len(prefixes) > 5
    assert len(prefixes) == len(set(prefixes))
