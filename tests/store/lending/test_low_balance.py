"""The low-balance alert: once per crossing, whatever happens at the same moment, with the way to top up."""

import asyncio

import pytest
from sqlmodel import select

from activities.lending.wallet_notices import notify_if_low
from core.ids import CONTACT, new_id
from core.money import Money
from ledger import chart
from ledger.posting import post
from ledger.transfers import Hold, Post
from models.tables.platform.contact import Contact
from models.tables.platform.partner import Partner
from models.tables.platform.traffic import Notification
from store.database import Database
from store.platform import partners

URL = "https://pay.example/top-up/{partner_id}"


@pytest.fixture
async def lender(database: Database, partner_id: str) -> str:
    """Told below 100, with 150 in the wallet."""
    async with database.transaction() as session:
        partner = await partners.get(session, partner_id)
        partner.low_balance_minor = 10_000
        session.add_all(
            [
                partner,
                Contact(
                    id=new_id(CONTACT), partner_id=partner_id, name="Grace", phone="+254711000222", email=None,
                    role="notify", language="en",
                ),
            ]
        )  # fmt: skip
    await move(database, partner_id, 15_000)
    return partner_id


async def move(database: Database, partner_id: str, minor: int, *, seen: Partner | None = None) -> None:
    """A credit, or a hold for a negative amount, as the sagas' steps do it: the partner is read first, then the wallet is
    locked, then the partner is told. `seen` is what an earlier read of the partner said."""
    wallet = chart.partner_wallet(partner_id, "KES")
    amount = Money(abs(minor), "KES")
    async with database.transaction() as session:
        partner = seen or await partners.get(session, partner_id)
        transfer = (
            Post(new_id("credit"), debit=chart.bank_funding("KES"), credit=wallet, amount=amount, reason="t")
            if minor > 0
            else Hold(
                new_id("hold"), debit=wallet, credit=chart.sms_fees("KES"), amount=amount, reason="t", workflow_id="w"
            )
        )
        (posted,) = await post(session, transfer)
        await notify_if_low(session, partner, "w", posted.balance_of(wallet).available, top_up_url=URL)


async def alerts(database: Database) -> list[str]:
    async with database.transaction() as session:
        return list(await session.exec(select(Notification.text).where(Notification.event == "low_balance")))


async def as_read(database: Database, partner_id: str) -> Partner:
    async with database.transaction() as session:
        return await partners.get(session, partner_id)


async def test_one_crossing_is_told_once_and_the_next_again(database: Database, lender: str) -> None:
    for minor in (-1_000, -5_000, -1_000, -1_000):
        await move(database, lender, minor)
    assert len(await alerts(database)) == 1
    await move(database, lender, 5_000)
    await move(database, lender, -5_000)
    assert len(await alerts(database)) == 2


async def test_the_alert_says_balance_recommended_amount_and_where_to_top_up(database: Database, lender: str) -> None:
    await move(database, lender, -6_000)
    (text,) = await alerts(database)
    assert "KES 90.00 left" in text
    assert "KES 410.00" in text  # to five times the alert
    assert f"https://pay.example/top-up/{lender}" in text


async def test_of_simultaneous_holds_that_cross_one_tells(database: Database, lender: str) -> None:
    await asyncio.gather(*(move(database, lender, -1_500) for _ in range(8)))
    assert len(await alerts(database)) == 1


async def test_a_hold_that_read_the_partner_before_another_crossed_does_not_tell_again(
    database: Database, lender: str
) -> None:
    before = await as_read(database, lender)
    await move(database, lender, -6_000)
    await move(database, lender, -1_000, seen=before)
    assert len(await alerts(database)) == 1


async def test_a_hold_that_read_the_partner_before_a_top_up_still_tells_of_its_crossing(
    database: Database, lender: str
) -> None:
    await move(database, lender, -6_000)
    told = await as_read(database, lender)
    assert told.low_balance_told_at is not None
    await move(database, lender, 5_000)
    await move(database, lender, -5_000, seen=told)
    assert len(await alerts(database)) == 2
