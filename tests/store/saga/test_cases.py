"""The case desk's rows: filtered, taken by one person, replaced by the next doubt."""

import asyncio
from typing import Any

from models.tables.saga.case import Case
from store.database import Database
from store.saga import cases


async def opened(database: Database, key: str, kind: str = "payout_unknown", **more: Any) -> str:
    async with database.transaction() as session:
        assert await cases.open_case(session, key=key, kind=kind, summary=key, evidence={}, **more)
        return (await cases.page(session, limit=1))[0].id


async def keys(database: Database, **filters: Any) -> set[str]:
    async with database.transaction() as session:
        return {case.key for case in await cases.page(session, **filters)}


async def case(database: Database, case_id: str) -> Case:
    async with database.transaction() as session:
        found = await cases.get(session, case_id)
    assert found is not None
    return found


async def take(database: Database, case_id: str, owner: str) -> bool:
    async with database.transaction() as session:
        return await cases.take(session, case_id, owner)


async def test_a_case_is_found_by_each_of_its_filters(database: Database, partner_id: str) -> None:
    await opened(database, "a", partner_id=partner_id, workflow_id="loan-disbursement/x/1")
    taken = await opened(database, "b", kind="post_failed", workflow_id="loan-disbursement/x/2")
    await take(database, taken, "key_ann")
    assert await keys(database, kind="post_failed") == {"b"}
    assert await keys(database, owner="key_ann") == {"b"}
    assert await keys(database, without_owner=True) == {"a"}
    assert await keys(database, partner_id=partner_id) == {"a"}
    assert await keys(database, workflow_id="loan-disbursement/x/2", state="open") == {"b"}
    assert await keys(database, kind="post_failed", without_owner=True) == set()


async def test_of_many_who_take_a_case_at_once_one_has_it(database: Database) -> None:
    case_id = await opened(database, "a")
    people = [f"key_{number}" for number in range(8)]
    taken = await asyncio.gather(*(take(database, case_id, person) for person in people))
    assert taken.count(True) == 1
    owner = people[taken.index(True)]
    assert (await case(database, case_id)).owner == owner
    assert await take(database, case_id, owner)  # again, by whoever has it


async def test_only_its_owner_gives_a_case_back_unless_whoever_asks_may_give_anybodys(database: Database) -> None:
    case_id = await opened(database, "a")
    async with database.transaction() as session:
        assert not await cases.give_back(session, case_id, None)  # nobody has it
        await cases.take(session, case_id, "key_ann")
        assert not await cases.give_back(session, case_id, "key_ben")
        assert await cases.give_back(session, case_id, "key_ann")
        await cases.take(session, case_id, "key_ben")
        assert await cases.give_back(session, case_id, None)
    assert (await case(database, case_id)).owner is None


async def test_a_closed_case_is_neither_taken_nor_given_back(database: Database) -> None:
    case_id = await opened(database, "a")
    await take(database, case_id, "key_ann")
    async with database.transaction() as session:
        await cases.close(session, case_id, by="key_ann", resolution="done")
    assert not await take(database, case_id, "key_ann")
    async with database.transaction() as session:
        assert not await cases.give_back(session, case_id, "key_ann")
    assert (await case(database, case_id)).owner == "key_ann"


async def test_the_next_doubt_replaces_the_case_of_the_one_before(database: Database) -> None:
    """A decision must not be made under the evidence of an earlier part."""
    first = await opened(database, "same", actions=["paid"])
    async with database.transaction() as session:
        assert not await cases.open_case(session, key="same", kind="payout_unknown", summary="again", evidence={})
        assert await cases.open_case(
            session,
            key="same",
            kind="payout_unknown",
            summary="next",
            evidence={"reference": "pay_2-a1"},
            replaces=True,
        )
    assert (await case(database, first)).state == "closed"
    async with database.transaction() as session:
        (now,) = await cases.page(session, state="open")
    assert (now.summary, now.evidence) == ("next", {"reference": "pay_2-a1"})
