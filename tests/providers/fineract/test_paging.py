"""Paging through a list that changes while it is read, for every way in which it may change."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Transient
from providers.fineract.paging import read_all_by_id


class ChangingList:
    """A list by id. Before read number n, the ids of `leaving[n]` leave and those of `coming[n]` come."""

    def __init__(self, ids: set[int], leaving: dict[int, set[int]], coming: dict[int, set[int]]) -> None:
        self.ids = set(ids)
        self.always = set(ids)
        self._leaving, self._coming = leaving, coming
        self.reads = 0

    async def fetch(self, offset: int, limit: int) -> list[dict[str, Any]]:
        gone = self._leaving.get(self.reads, set())
        self.ids = (self.ids - gone) | self._coming.get(self.reads, set())
        self.always -= gone
        self.reads += 1
        return [{"id": number} for number in sorted(self.ids)[offset : offset + limit]]


changes = st.dictionaries(st.integers(0, 30), st.sets(st.integers(1, 80), max_size=20), max_size=12)


@given(ids=st.sets(st.integers(1, 80)), leaving=changes, coming=changes, page=st.integers(1, 12))
async def test_what_is_in_the_list_all_the_time_is_found_once_whatever_else_comes_and_goes(
    ids: set[int], leaving: dict[int, set[int]], coming: dict[int, set[int]], page: int
) -> None:
    changing = ChangingList(ids, leaving, coming)
    found = [row["id"] for row in await read_all_by_id(changing.fetch, page)]
    assert found == sorted(set(found))
    assert changing.always <= set(found)


async def test_a_list_at_rest_is_read_with_one_overlap_per_page() -> None:
    resting = ChangingList(set(range(1, 251)), {}, {})
    assert len(await read_all_by_id(resting.fetch, 100)) == 250
    assert resting.reads == 3


async def test_a_server_that_ignores_the_order_is_refused_instead_of_believed() -> None:
    async def fetch(offset: int, limit: int) -> list[dict[str, Any]]:
        return [{"id": 2}, {"id": 1}]

    with pytest.raises(Transient):
        await read_all_by_id(fetch, 2)


async def test_a_server_that_ignores_the_limit_is_read_in_one_go() -> None:
    async def fetch(offset: int, limit: int) -> list[dict[str, Any]]:
        return [{"id": number} for number in range(1, 251)]

    assert len(await read_all_by_id(fetch, 100)) == 250


async def test_a_list_that_never_settles_ends_in_an_error_not_in_a_loop() -> None:
    async def fetch(offset: int, limit: int) -> list[dict[str, Any]]:
        return [{"id": 10 * offset + 1000}] * 1 + [{"id": 10 * offset + 1001}]

    with pytest.raises(Transient) as caught:
        await read_all_by_id(fetch, 2)
    assert caught.value.code == "list_unsettled"
