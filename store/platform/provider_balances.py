"""What providers told us of the money on a partner's own accounts there. The prepaid wallet itself is in the ledger."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.money import Money
from models.tables.platform.provider_balance import ProviderBalance


async def tell(
    session: AsyncSession, partner_id: str, provider: str, balances: Mapping[str, Money], told_at: datetime
) -> None:
    """Keeps the latest word on each account; an older one that comes late changes nothing."""
    statement = insert(ProviderBalance)
    rows = [
        {
            "partner_id": partner_id, "provider": provider, "account": account, "amount_minor": money.minor,
            "currency": money.currency, "told_at": told_at,
        }
        for account, money in sorted(balances.items())  # one order: two callbacks at once cannot wait for each other
    ]  # fmt: skip
    if rows:
        await (await session.connection()).execute(
            statement.on_conflict_do_update(
                index_elements=["partner_id", "provider", "account"],
                set_={name: statement.excluded[name] for name in ("amount_minor", "currency", "told_at")},
                where=col(ProviderBalance.told_at) <= statement.excluded["told_at"],
            ),
            rows,
        )


async def of_all(session: AsyncSession, partner_id: str | None, *, limit: int) -> list[ProviderBalance]:
    """Of one partner or (None) of all, what was told longest ago last."""
    query = select(ProviderBalance).order_by(col(ProviderBalance.told_at).desc()).limit(limit)
    if partner_id is not None:
        query = query.where(ProviderBalance.partner_id == partner_id)
    return list(await session.exec(query))


async def told(session: AsyncSession, partner_id: str) -> list[ProviderBalance]:
    query = select(ProviderBalance).where(ProviderBalance.partner_id == partner_id)
    return list(await session.exec(query.order_by(ProviderBalance.provider, ProviderBalance.account)))
