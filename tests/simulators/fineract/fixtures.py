"""A simulated Fineract with an empty world, over HTTP: for the tests of the simulator, of its client and of what asks it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from simulators.app import create_simulators
from simulators.world import World
from tests.simulators.fineract.bank import Bank
from tests.support.simulator_server import AppServer


@pytest.fixture(scope="module")
def served_world(simulator_server: AppServer) -> Iterator[World]:
    """One application a module, since making one takes longer than a test."""
    app = create_simulators()
    with simulator_server.serving(app):
        yield app.state.world


@pytest.fixture
async def bank(simulator_server: AppServer, served_world: World) -> AsyncIterator[Bank]:
    served_world.documents.clear()
    served_world.faults.clear()
    bank = Bank(simulator_server.url)
    await bank.tenant("default")
    yield bank
    await bank.close()
