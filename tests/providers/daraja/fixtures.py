"""A simulated Daraja: for the tests of the simulator and of its client."""

from collections.abc import AsyncIterator

import pytest

from tests.providers.daraja.bench import Bench, daraja_bench
from tests.providers.daraja.desk import Desk, daraja_desk
from tests.support.simulator_server import AppServer


@pytest.fixture
async def bench(simulator_server: AppServer) -> AsyncIterator[Bench]:
    """A fresh simulated Daraja."""
    with daraja_bench(simulator_server) as made:
        yield made
        await made.close()


@pytest.fixture
async def desk(simulator_server: AppServer) -> AsyncIterator[Desk]:
    """A fresh simulated Daraja where money comes in."""
    with daraja_desk(simulator_server) as made:
        yield made
        await made.bench.close()
