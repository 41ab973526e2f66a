"""Charges come from dated bands; a hole in them is an error, not a free service."""

from datetime import UTC, datetime

import pytest

from core.errors import InvalidRequest
from core.money import Money
from models.tables.platform.tariff_band import TariffBand
from store.database import Database
from store.platform import tariffs

NOW = datetime(2026, 11, 21, tzinfo=UTC)


async def fee(database: Database, partner_id: str, amount: str, at: datetime = NOW, charge: str = "mpesa_b2c") -> str:
    async with database.transaction() as session:
        found = await tariffs.fees(session, partner_id, Money.parse(amount, "KES"), at, [charge])
    return found[charge].amount


async def add(database: Database, fee_minor: int, valid_from: datetime, partner_id: str | None = None) -> None:
    async with database.transaction() as session:
        session.add(
            TariffBand(
                partner_id=partner_id, charge="processing", currency="KES", from_minor=0, to_minor=10**9,
                fee_minor=fee_minor, valid_from=valid_from,
            )
        )  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("49", "0.00"), ("100", "0.00"), ("101", "5.00"), ("1500.99", "5.00"), ("1501", "9.00"), ("5000", "9.00"),
     ("5001", "11.00"), ("20000", "11.00"), ("20001", "13.00"), ("250000", "13.00")],
)  # fmt: skip
async def test_safaricoms_own_bands(database: Database, partner_id: str, amount: str, expected: str) -> None:
    assert await fee(database, partner_id, amount) == expected


async def test_an_amount_without_a_band_is_refused(database: Database, partner_id: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await fee(database, partner_id, "250001")
    assert refused.value.code == "no_tariff"


async def test_the_newest_valid_set_counts(database: Database, partner_id: str) -> None:
    await add(database, 1000, datetime(2024, 1, 1, tzinfo=UTC))
    await add(database, 1500, datetime(2026, 1, 1, tzinfo=UTC))
    await add(database, 9900, datetime(2027, 1, 1, tzinfo=UTC))
    assert await fee(database, partner_id, "500", charge="processing") == "15.00"
    assert await fee(database, partner_id, "500", datetime(2025, 1, 1, tzinfo=UTC), "processing") == "10.00"


async def test_a_partners_own_bands_replace_the_general_ones(database: Database, partner_id: str) -> None:
    await add(database, 1000, datetime(2026, 1, 1, tzinfo=UTC))
    await add(database, 300, datetime(2025, 1, 1, tzinfo=UTC), partner_id)
    assert await fee(database, partner_id, "500", charge="processing") == "3.00"
