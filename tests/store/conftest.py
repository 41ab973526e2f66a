"""A database with one partner, whose Fineract is its own."""

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import CONNECTION, PARTNER, new_id
from models.messages.connections.fineract import FineractSettings
from models.tables.platform.connection import Connection
from models.tables.platform.partner import Partner
from store.database import Database
from tests.support.lender import claim_all


@pytest.fixture
async def partner_id(database: Database) -> str:
    return await another_partner(database, "default")


async def give_fineract(session: AsyncSession, partner_id: str, tenant: str, *, claimed: bool = True) -> Connection:
    """A connection to this tenant of a server that all share."""
    now = utc_now()
    settings = FineractSettings(base_url="https://mifos.example/fineract-provider/api", tenant=tenant)
    row = Connection(
        id=new_id(CONNECTION), partner_id=partner_id, provider="fineract", settings=settings.model_dump(mode="json"),
        sealed="-", version=1, status="ok" if claimed else "unproven", created_at=now, updated_at=now,
    )  # fmt: skip
    session.add(row)
    await session.flush()
    if claimed:
        await claim_all(session, [row])
    return row


async def another_partner(database: Database, tenant: str | None = None, *, claimed: bool = True) -> str:
    now, made = utc_now(), new_id(PARTNER)
    async with database.transaction() as session:
        session.add(
            Partner(
                id=made, name=made, currency="KES", country="KE", timezone="Africa/Nairobi", language="en",
                status="active", low_balance_minor=0, created_at=now, updated_at=now,
            )
        )  # fmt: skip
        await session.flush()
        if tenant:
            await give_fineract(session, made, tenant, claimed=claimed)
    return made
