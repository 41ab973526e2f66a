"""A simulated Fineract with an empty world, over HTTP."""

from collections.abc import AsyncIterator

import pytest

from simulators.app import create_simulators
from tests.simulators.fineract.bank import Bank
from tests.support.simulator_server import AppServer


@pytest.fixture
async def bank(simulator_server: AppServer) -> AsyncIterator[Bank]:
    """Without the mail sink, which takes longer to start than everything else."""
    with simulator_server.serving(create_simulators()):
        bank = Bank(simulator_server.url)
        yield bank
        await bank.close()
