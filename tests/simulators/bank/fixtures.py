"""A simulated bank: for the tests of the simulator and of both dialects' clients."""

from collections.abc import AsyncIterator

import pytest

from tests.simulators.bank.bench import Bench, bank_bench
from tests.support.simulator_server import AppServer


@pytest.fixture
async def bench(simulator_server: AppServer) -> AsyncIterator[Bench]:
    """A fresh simulated bank."""
    with bank_bench(simulator_server) as made:
        yield made
        await made.close()
