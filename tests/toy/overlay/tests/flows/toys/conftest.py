"""A house whose partner has an account at the tin."""

import pytest

from tests.flows.toys.relay_desk import RelayDesk
from tests.support.house import House


@pytest.fixture
async def desk(house: House) -> RelayDesk:
    desk = RelayDesk(house)
    await desk.open()
    return desk
