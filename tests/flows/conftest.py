"""The whole house for tests of whole flows."""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from core.settings import Settings
from store.database import Database
from tests.support.house import House, open_house
from tests.support.money_in import MoneyDesk
from tests.support.simulator_server import RunningSimulators
from tests.support.worker_process import WorkerProcess


@pytest.fixture
def dialect() -> str:
    """Which bank the lender has; tests/support/bank_books.py has the marks that choose another."""
    return "reference"


@pytest.fixture
async def house(
    wired_settings: Settings,
    database: Database,
    temporal_env: WorkflowEnvironment,
    simulators: RunningSimulators,
    dialect: str,
) -> AsyncIterator[House]:
    async with open_house(wired_settings, database, temporal_env.client, simulators, dialect=dialect) as opened:
        yield opened


@pytest.fixture
async def worker(house: House) -> AsyncIterator[WorkerProcess]:
    """A worker to be started and killed; the house's own is stopped."""
    await house.stop_workers()
    worker = WorkerProcess(house)
    yield worker
    await worker.stop()


@pytest.fixture
def desk(house: House) -> MoneyDesk:
    """What lenders, customers, banks and operators do with the house."""
    return MoneyDesk(house)
