"""Nothing is handed to a provider after the time until which it might be sent, however long a token or a pause took."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from core.clock import utc_now
from core.errors import NotReached
from tests.providers.daraja.bench import daraja_bench
from tests.providers.daraja.desk import Desk, daraja_desk
from tests.simulators.bank.bench import Bench as Bank
from tests.simulators.bank.bench import bank_bench
from tests.support.simulator_server import AppServer


@pytest.fixture
async def desk(simulator_server: AppServer) -> AsyncIterator[Desk]:
    with daraja_desk(simulator_server) as made:
        yield made
        await made.bench.close()


@pytest.fixture
async def bank(simulator_server: AppServer) -> AsyncIterator[Bank]:
    with bank_bench(simulator_server) as made:
        yield made
        await made.close()


def refused_as_late() -> "pytest.RaisesExc[NotReached]":
    return pytest.raises(NotReached, check=lambda error: error.code == "too_late")


@pytest.mark.parametrize("version", ["v1", "v3"])
async def test_a_payout_is_not_sent_once_its_token_took_too_long(simulator_server: AppServer, version: str) -> None:
    with daraja_bench(simulator_server) as bench:
        bench.fault("daraja.token", "slow", seconds=1.0)
        with refused_as_late():
            await bench.client(b2c_version=version).send(bench.order(send_by=utc_now() + timedelta(seconds=0.5)))
        assert [path for path in bench.requests if "b2c" in path] == []
        in_time = bench.order("pay_01b-a1", send_by=utc_now() + timedelta(seconds=10))
        await bench.client(b2c_version=version).send(in_time)
        await bench.received()
        assert [row["amount"] for row in bench.paid()] == ["1250.00"]
        await bench.close()


async def test_a_prompt_is_not_shown_after_its_time(desk: Desk) -> None:
    with refused_as_late():
        await desk.client().prompt(desk.order(send_by=utc_now() - timedelta(seconds=0.1)))
    assert [path for path in desk.bench.requests if "stkpush" in path] == []


@pytest.mark.parametrize("dialect", ["ncba", "reference"])
async def test_a_bank_gets_no_instruction_after_its_time(bank: Bank, dialect: str) -> None:
    late, client = utc_now() - timedelta(seconds=0.1), bank.client(dialect)
    with refused_as_late():
        await client.transfer(bank.transfer(send_by=late))
    with refused_as_late():
        await client.buy_float(bank.float_order(send_by=late))
    assert bank.debits() == []
    await client.transfer(bank.transfer(send_by=utc_now() + timedelta(seconds=10)))
    assert bank.requests.total() >= 1


async def test_a_till_prompts_nobody_after_its_time(bank: Bank) -> None:
    with refused_as_late():
        await bank.ncba().prompt(bank.prompt(send_by=utc_now() - timedelta(seconds=0.1)))
