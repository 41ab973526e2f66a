"""What a charge costs: dated bands, a partner's own before the general ones."""

from datetime import datetime

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from core.errors import InvalidRequest
from core.money import Money

# Per charge: the newest valid set of bands of the partner if it has one, else the newest general set; then the band.
_FEES = text(
    """
    SELECT DISTINCT ON (charge) charge, fee_minor
      FROM (
        SELECT charge, fee_minor, partner_id, from_minor, to_minor, valid_from,
               max(valid_from) OVER (PARTITION BY charge, partner_id) AS newest
          FROM tariff_bands
         WHERE currency = :currency AND valid_from <= :at AND (partner_id IS NULL OR partner_id = :partner_id)
           AND charge = ANY(:charges)
      ) AS valid
     WHERE valid_from = newest AND :amount BETWEEN from_minor AND to_minor
     ORDER BY charge, partner_id NULLS LAST
    """
)


async def fees(
    session: AsyncSession, partner_id: str, amount: Money, at: datetime, charges: list[str]
) -> dict[str, Money]:
    """The fee of each charge for one amount. Raises InvalidRequest (code "no_tariff") if a charge has no band for it:
    a missing tariff must not become a free service or a guess."""
    rows = await (await session.connection()).execute(
        _FEES,
        {
            "currency": amount.currency,
            "at": at,
            "partner_id": partner_id,
            "amount": amount.minor,
            "charges": charges,
        },
    )
    found = {row.charge: Money(row.fee_minor, amount.currency) for row in rows}
    for charge in charges:
        if charge not in found:
            raise InvalidRequest(f"No tariff band of {charge} covers {amount}.", code="no_tariff", charge=charge)
    return found
