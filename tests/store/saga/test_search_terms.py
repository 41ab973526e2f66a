"""What people are found by: written by one key, found by any that is given, filled for older rows, gone with the person."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, insert, select, text, update

from core.clock import utc_now
from core.ids import INCOMING, new_id
from core.settings import Retention
from models.kinds import KINDS
from models.tables.base import table_of
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.saga.search_term import SearchTerm
from store.database import Database
from store.lending import customer_collection
from store.platform import retention, search_fill
from store.saga import incoming, search
from store.saga.search_plain import Scope

PHONE, NAME = "+254712345678", "JANE WANJIKU"
_TERMS = table_of(SearchTerm)


def scope(partner_id: str | None = None) -> Scope:
    return Scope(partner_id, frozenset(kind.name for kind in KINDS), loose=True, lenders=False)


async def found(database: Database, q: str, partner_id: str | None = None) -> list[str]:
    async with database.transaction() as session:
        return [one.id for one in await search.find(session, q, scope(partner_id))]


async def put_untold(database: Database, partner_id: str, *, count: int = 1, **more: Any) -> list[str]:
    """Payments as they were written before anything was found by its people."""
    now = utc_now()
    rows = [
        {
            "id": new_id(INCOMING), "partner_id": partner_id, "provider": "daraja", "external_id": new_id("x").upper(),
            "account": "600997", "amount_minor": 50_000, "currency": "KES", "reference": "91", "payer_name": NAME,
            "payer_phone": PHONE, "happened_at": now, "announced": ["confirmation"], "created_at": now,
            "updated_at": now, **more,
        }
        for _ in range(count)
    ]  # fmt: skip
    async with database.transaction() as session:
        await (await session.connection()).execute(insert(table_of(IncomingPayment)), rows)
    return [row["id"] for row in rows]


async def fill(database: Database, **how: Any) -> dict[str, int]:
    return {made.source: made.rows async for made in search_fill.fill(database, **how)}


async def count_terms(database: Database) -> int:
    async with database.transaction() as session:
        return int((await (await session.connection()).execute(select(func.count()).select_from(_TERMS))).scalar_one())


async def test_older_rows_are_found_once_they_are_filled(database: Database, partner_id: str) -> None:
    (payment,) = await put_untold(database, partner_id)
    assert await found(database, PHONE) == []
    assert (await fill(database))["incoming_payments"] == 1
    for q in (PHONE, "0712 345 678", "wanjiku", "wanjiku jane"):
        assert await found(database, q) == [payment], q
    before = await count_terms(database)
    assert before == 4  # the phone, the name, its two words
    await fill(database)
    await fill(database, again=True)
    assert await count_terms(database) == before


async def test_a_fill_that_breaks_off_goes_on_where_it_was(
    database: Database, partner_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_fill, "_BATCH", 2)
    payments = await put_untold(database, partner_id, count=5)
    seen = []
    async for made in search_fill.fill(database):
        seen.append((made.source, made.rows))
        if made == search_fill.Progress("incoming_payments", 2, done=False):
            break
    assert sorted(await found(database, PHONE)) == sorted(payments)[:2]
    # What was filled is not looked at again: if it were, this would bring its phone back.
    async with database.transaction() as session:
        await (await session.connection()).execute(_TERMS.delete())
    assert (await fill(database))["incoming_payments"] == 5
    assert sorted(await found(database, PHONE)) == sorted(payments)[2:]


async def test_a_new_key_stands_in_front_and_old_hashes_are_still_found(database: Database, partner_id: str) -> None:
    old = [SecretStr("the-first-key")]
    new = [SecretStr("the-second-key"), *old]
    before, between, after = (Database(database.url, search_keys=keys) for keys in (old, new, new[:1]))
    try:
        (first,) = await put_untold(before, partner_id)
        await fill(before)
        async with between.transaction() as session:
            row = await session.get(IncomingPayment, first)
            assert row is not None
            made = await customer_collection.of_incoming(session, row)
        assert set(await found(between, PHONE)) == {first, made.id}
        assert await found(after, PHONE) == [made.id]
        assert await found(before, PHONE) == [first]
        assert await search_fill.prune(between) == 0
        assert (await fill(between))["incoming_payments"] == 1
        assert set(await found(after, PHONE)) == {first, made.id}
        assert await search_fill.prune(after) == 4
        assert await found(before, PHONE) == []
        assert set(await found(after, PHONE)) == {first, made.id}
    finally:
        for one in (before, between, after):
            await one.close()


async def test_without_the_key_a_hash_says_nothing(database: Database, partner_id: str) -> None:
    await put_untold(database, partner_id)
    await fill(database)
    async with database.transaction() as session:
        kept = (await session.exec(text("SELECT row_to_json(t)::text FROM search_terms t"))).scalars().all()  # type: ignore[call-overload]
    assert len(kept) == 4
    assert [line for line in kept if "712345678" in line or "wanjiku" in line.lower()] == []


async def test_what_is_erased_is_found_by_nobody(database: Database, partner_id: str) -> None:
    def ago(days: float) -> datetime:
        return utc_now() - timedelta(days=days)

    young, old = await put_untold(database, partner_id, count=2)
    await fill(database)
    for payment, ended in ((young, ago(394)), (old, ago(396))):
        async with database.transaction() as session:
            row = await incoming.get(session, payment)
            assert row is not None
            saga = await customer_collection.of_incoming(session, row)
            await incoming.claim(session, payment, saga.workflow_id)
            ends = update(table_of(type(saga))).values(ended_at=ended, stage="completed")
            await session.exec(ends.where(table_of(type(saga)).c.id == saga.id))
    assert len(await found(database, PHONE)) == 2
    await retention.erase(database, Retention(payers_days=395), within=timedelta(minutes=1))
    (left,) = await found(database, PHONE)
    assert len(await found(database, "wanjiku jane")) == 1
    async with database.transaction() as session:
        kept = await (await session.connection()).execute(select(_TERMS.c.subject).distinct())
        assert set(kept.scalars()) == {left, young}


async def test_the_rows_of_a_common_name_are_looked_through_for_the_other_words(
    database: Database, partner_id: str
) -> None:
    await put_untold(database, partner_id, count=30, payer_name="JOSEPHINE ATIENO")
    (wanted,) = await put_untold(database, partner_id, payer_name="Josephine Chebet Koech")
    await fill(database)
    assert await found(database, "chebet josephine") == [wanted]
    assert await found(database, "josephine chebet", partner_id) == [wanted]
    assert await found(database, "josephine nobody") == []
