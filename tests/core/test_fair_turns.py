"""Whoever asks for four hundred turns waits for itself alone."""

import asyncio

import pytest

from inbound.fair_turns import FairTurns


async def test_a_flood_of_one_key_does_not_delay_another() -> None:
    turns, order = FairTurns(4, 2), list[str]()

    async def work(key: str) -> None:
        async with turns.turn(key):
            await asyncio.sleep(0)
            order.append(key)

    flood = [asyncio.create_task(work("a")) for _ in range(400)]
    await asyncio.sleep(0)
    await asyncio.gather(*flood, *(work("b") for _ in range(3)))
    assert max(position for position, key in enumerate(order) if key == "b") < 20
    assert len(order) == 403


async def test_no_key_has_more_turns_than_its_share_and_all_have_not_more_than_there_are() -> None:
    turns, running, most = FairTurns(5, 2), list[str](), dict[str, int]()

    async def work(key: str) -> None:
        async with turns.turn(key):
            running.append(key)
            most[key] = max(most.get(key, 0), running.count(key))
            most["all"] = max(most.get("all", 0), len(running))
            await asyncio.sleep(0)
            running.remove(key)

    await asyncio.gather(*(work(key) for key in "abcd" * 50))
    assert most == {"a": 2, "b": 2, "c": 2, "d": 2, "all": 5}


async def test_too_many_of_one_key_are_not_admitted() -> None:
    turns, held = FairTurns(1, 1, waiting=2), asyncio.Event()

    async def work(key: str) -> bool:
        async with turns.turn(key) as admitted:
            if admitted:
                await held.wait()
            return admitted

    tasks = [asyncio.create_task(work("a")) for _ in range(5)]
    other = asyncio.create_task(work("b"))
    await asyncio.sleep(0)
    held.set()
    assert sorted(await asyncio.gather(*tasks)) == [False, False, True, True, True]
    assert await other


async def test_who_stops_waiting_takes_no_turn_away() -> None:
    turns, held = FairTurns(1, 1), asyncio.Event()

    async def work() -> None:
        async with turns.turn("a"):
            await held.wait()

    first = asyncio.create_task(work())
    given_up, last = [asyncio.create_task(work()) for _ in range(2)]
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    held.set()
    await asyncio.wait_for(asyncio.gather(first, last), 5)
