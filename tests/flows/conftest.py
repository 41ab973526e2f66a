"""The whole house for tests of whole flows."""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from core.settings import Settings
from store.database import Database
from tests.support.house import House, open_house
from tests.support.simulator_server import RunningSimulators


@pytest.fixture
async def house(
    wired_settings: Settings, database: Database, temporal_env: WorkflowEnvironment, simulators: RunningSimulators
) -> AsyncIterator[House]:
    async with open_house(wired_settings, database, temporal_env.client, simulators) as opened:
        yield opened
