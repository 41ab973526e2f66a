"""A database with one bare partner."""

import pytest

from core.clock import utc_now
from core.ids import PARTNER, new_id
from models.tables.partners import Partner
from store.database import Database


@pytest.fixture
async def partner_id(database: Database) -> str:
    now, made = utc_now(), new_id(PARTNER)
    async with database.transaction() as session:
        session.add(
            Partner(
                id=made, name=made, currency="KES", country="KE", timezone="Africa/Nairobi", language="en",
                status="active", hook_secret=made, hook_digest=made, low_balance_minor=0, created_at=now, updated_at=now,
            )
        )  # fmt: skip
    return made
