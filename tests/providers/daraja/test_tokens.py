"""The access token: one, shared, refreshed once; trouble with it never leaves a payout in doubt."""

import asyncio
from typing import Any

import pytest

from core.errors import NotAllowed, NotReached, Throttled, Transient
from tests.providers.daraja.bench import Bench, daraja_bench
from tests.support.simulator_server import AppServer


async def test_many_payouts_at_once_mint_one_token(bench: Bench) -> None:
    client = bench.client()
    bench.fault("daraja.token", "slow", seconds=0.1)
    await asyncio.gather(*(client.send(bench.order(f"pay_{n}-a1", "100")) for n in range(20)))
    assert bench.minted() == 1
    await bench.until(lambda: len(bench.paid()) == 20)


@pytest.mark.parametrize("dialect", ["404.001.03", "401.002.01", "400.003.01"])
async def test_a_refused_token_is_minted_again_once_and_the_same_reference_is_sent(bench: Bench, dialect: str) -> None:
    bench.fault("daraja.b2c.send", "invalid_token", dialect=dialect)
    await bench.client().send(bench.order())
    await bench.received()
    assert (bench.sent(), bench.minted()) == (2, 2)
    assert [row["reference"] for row in bench.paid()] == ["pay_01a-a1"]


async def test_an_expired_token_is_minted_again_and_the_books_show_one_payout(bench: Bench) -> None:
    bench.fault("daraja.token", "expire_now")
    await bench.client().send(bench.order())
    await bench.received()
    assert (bench.sent(), bench.minted()) == (2, 2)
    sent = [exchange.request for exchange in bench.exchanges if exchange.operation == "b2c.send"]
    assert sent[0] == sent[1]
    assert [row["reference"] for row in bench.paid()] == ["pay_01a-a1"]


async def test_many_payouts_refused_with_one_token_mint_one_new_one(bench: Bench) -> None:
    client = bench.client()
    bench.fault("daraja.token", "expire_now")
    await asyncio.gather(*(client.send(bench.order(f"pay_{n}-a1", "100")) for n in range(8)))
    assert bench.minted() == 2
    await bench.until(lambda: len(bench.paid()) == 8)


async def test_a_token_that_ends_within_a_minute_is_refreshed_early(bench: Bench) -> None:
    bench.world.documents.put("daraja.settings", "behaviour", {"token_seconds": 59})
    client = bench.client()
    await client.query_status(bench.inquiry())
    await client.query_status(bench.inquiry())
    assert bench.minted() == 2


async def test_a_token_ended_by_another_process_is_replaced(simulator_server: AppServer) -> None:
    with daraja_bench(simulator_server, new_token_kills_old=True, expires_in_as_number=True) as bench:
        ours, theirs = bench.client(), bench.client()
        await ours.send(bench.order("pay_1-a1"))
        await theirs.check()
        await ours.send(bench.order("pay_2-a1"))
        await bench.until(lambda: len(bench.paid()) == 2)
        await bench.close()


@pytest.mark.parametrize("changes", [{"consumer_key": "nobody"}, {"consumer_secret": "wrong"}])
async def test_a_wrong_key_is_not_allowed_and_nothing_is_sent(bench: Bench, changes: dict[str, Any]) -> None:
    client = bench.client(**changes)
    for attempt in (client.check(), client.query_status(bench.inquiry())):
        with pytest.raises(NotAllowed) as caught:
            await attempt
        assert caught.value.code == "bad_credentials"
    with pytest.raises(Transient) as held:
        await client.send(bench.order())
    assert (held.value.code, held.value.extra["operator_needed"]) == ("credentials_refused", "yes")
    assert bench.sent() == 0


async def test_a_firewall_before_the_token_leaves_the_payout_unsent(bench: Bench) -> None:
    client = bench.client()
    bench.fault("daraja.token", "down")
    with pytest.raises(Transient):
        await client.send(bench.order())
    bench.fault("daraja.token", "throttle")
    with pytest.raises(Throttled):
        await client.send(bench.order())
    assert bench.sent() == 0
    await client.send(bench.order())


async def test_a_silent_token_endpoint_leaves_the_payout_unsent(bench: Bench) -> None:
    bench.fault("daraja.token", "slow", seconds=2)
    with pytest.raises(NotReached):
        await bench.client(read_timeout=1.0).send(bench.order())
    assert bench.sent() == 0


async def test_check_passes_with_good_credentials(bench: Bench) -> None:
    await bench.client().check()
    assert bench.minted() == 1
