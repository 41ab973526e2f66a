import re
import time
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from core import ids

uuids = st.integers(min_value=0, max_value=2**128 - 1).map(lambda number: UUID(int=number))


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


@given(uuids, uuids)
def test_ids_keep_the_order_of_their_uuids(one: UUID, other: UUID) -> None:
    spelled = ids.id_from_uuid("pay", one), ids.id_from_uuid("pay", other)
    assert (spelled[0] < spelled[1], spelled[0] == spelled[1]) == (one < other, one == other)


@given(
    st.integers(min_value=0, max_value=2**48 - 2), st.integers(min_value=0, max_value=2**80 - 1),
    st.integers(min_value=0, max_value=2**80 - 1),
)  # fmt: skip
def test_an_earlier_moment_sorts_first_whatever_the_random_rest(moment: int, rest: int, other_rest: int) -> None:
    earlier = ids.id_from_uuid("pay", UUID(int=moment << 80 | rest))
    later = ids.id_from_uuid("pay", UUID(int=(moment + 1) << 80 | other_rest))
    assert earlier < later


@given(uuids)
def test_one_uuid_spells_one_id_of_fixed_length(uuid: UUID) -> None:
    assert ids.id_from_uuid("pay", uuid) == ids.id_from_uuid("pay", uuid)
    assert len(ids.id_from_uuid("pay", uuid)) == len("pay_") + 26


def test_prefixes_are_distinct() -> None:
    prefixes = [value for name, value in vars(ids).items() if name.isupper() and not name.startswith("_")]
    assert len(prefixes) > 5
    assert len(prefixes) == len(set(prefixes))
