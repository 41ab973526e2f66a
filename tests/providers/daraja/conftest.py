from collections.abc import AsyncIterator

import pytest

from tests.providers.daraja.bench import Bench, daraja_bench
from tests.support.simulator_server import AppServer


@pytest.fixture
async def bench(simulator_server: AppServer) -> AsyncIterator[Bench]:
    """A fresh simulated Daraja."""
    with daraja_bench(simulator_server) as made:
        yield made
        await made.close()
