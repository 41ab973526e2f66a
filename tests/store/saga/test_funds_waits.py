"""The line before a wallet: order, places, turns of telling."""

from datetime import timedelta

from sqlmodel import select

from core.clock import utc_now
from ledger import chart
from models.tables.saga.funds_wait import FundsWait
from store.database import Database
from store.saga import funds_waits
from tests.store.conftest import another_partner

NOW = utc_now()


async def join(database: Database, partner_id: str, name: str, minor: int, *, minute: int = 0) -> None:
    async with database.transaction() as session:
        await funds_waits.join(
            session, workflow_id=name, partner_id=partner_id, account_id=_wallet(partner_id), needed_minor=minor,
            asked_at=NOW + timedelta(minutes=minute),
        )  # fmt: skip


async def first(database: Database, partner_id: str, *, at_most: int = 10**9) -> list[str]:
    async with database.transaction() as session:
        found = await funds_waits.first_in_line(session, _wallet(partner_id), at_most=at_most, limit=10)
        return [place.workflow_id for place in found]


async def grant_all(database: Database, partner_id: str) -> None:
    async with database.transaction() as session:
        places = await funds_waits.first_in_line(session, _wallet(partner_id), at_most=10**9, limit=10)
        await funds_waits.grant(session, places)


async def told(database: Database, at_once: int) -> list[str]:
    async with database.transaction() as session:
        return await funds_waits.due_to_hear(session, at_once=at_once)


async def time_passes(database: Database, by: timedelta) -> None:
    async with database.transaction() as session:
        for wait in await session.exec(select(FundsWait)):
            if wait.told_at is not None:
                wait.told_at -= by
                session.add(wait)


def _wallet(partner_id: str) -> str:
    return chart.partner_wallet(partner_id, "KES").id


async def test_the_order_is_that_of_the_requests_not_of_the_arrivals(database: Database, partner_id: str) -> None:
    await join(database, partner_id, "second", 20, minute=2)
    await join(database, partner_id, "first", 30, minute=1)
    assert await first(database, partner_id) == ["first", "second"]
    assert await first(database, partner_id, at_most=20) == ["second"]


async def test_asking_again_for_another_amount_keeps_the_place(database: Database, partner_id: str) -> None:
    await join(database, partner_id, "first", 30, minute=1)
    await join(database, partner_id, "second", 30, minute=2)
    await join(database, partner_id, "first", 40, minute=1)
    assert await first(database, partner_id) == ["first", "second"]
    assert await first(database, partner_id, at_most=30) == ["second"]


async def test_the_least_of_each_line_is_known(database: Database, partner_id: str) -> None:
    other = await another_partner(database)
    await join(database, partner_id, "a", 30)
    await join(database, partner_id, "b", 20)
    await join(database, other, "c", 50)
    async with database.transaction() as session:
        least = await funds_waits.least_needed(session)
    assert sorted(least) == sorted([(_wallet(partner_id), partner_id, 20), (_wallet(other), other, 50)])


async def test_who_leaves_says_whether_something_was_granted(database: Database, partner_id: str) -> None:
    await join(database, partner_id, "a", 30)
    await grant_all(database, partner_id)
    await join(database, partner_id, "b", 30)
    async with database.transaction() as session:
        assert str(await funds_waits.leave(session, "a")).startswith("a:funds:fwt_")
        assert await funds_waits.leave(session, "b") is None
        assert await funds_waits.leave(session, "nobody") is None
        assert not await funds_waits.stands(session, _wallet(partner_id))


async def test_who_is_just_leaving_is_passed_over(database: Database, partner_id: str) -> None:
    await join(database, partner_id, "a", 30, minute=1)
    await join(database, partner_id, "b", 30, minute=2)
    async with database.transaction() as session:
        await funds_waits.leave(session, "a")
        assert await first(database, partner_id) == ["b"]


async def test_a_few_are_told_at_once_and_again_ever_more_rarely(database: Database, partner_id: str) -> None:
    for number in range(3):
        await join(database, partner_id, f"saga {number}", 10, minute=number)
    await grant_all(database, partner_id)
    assert await told(database, at_once=2) == ["saga 0", "saga 1"]
    assert await told(database, at_once=2) == []  # both are on their way
    await time_passes(database, timedelta(seconds=11))
    assert sorted(await told(database, at_once=3)) == ["saga 0", "saga 1", "saga 2"]
    await time_passes(database, timedelta(seconds=11))
    assert await told(database, at_once=3) == ["saga 2"]  # told once; the others wait 40 seconds
    await time_passes(database, timedelta(seconds=30))
    assert await told(database, at_once=2) == ["saga 0", "saga 1"]


async def test_long_lines_do_not_stand_before_short_ones(database: Database, partner_id: str) -> None:
    other = await another_partner(database)
    for number in range(3):
        await join(database, partner_id, f"long {number}", 10, minute=number)
    await grant_all(database, partner_id)
    await join(database, other, "short", 10, minute=9)
    await grant_all(database, other)
    assert set(await told(database, at_once=2)) == {"long 0", "short"}
