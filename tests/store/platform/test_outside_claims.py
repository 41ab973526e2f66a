"""What is outside has one owner: claims, two names of one server, loans by the tenant whose books they are in, moves."""

import asyncio
from typing import Any

import pytest
from sqlmodel import select

from core.errors import Busy, Conflict, NotAllowed, NotFound
from core.outside import OutsideKey, mpesa_shortcode
from models import providers
from models.tables.platform.claims import OutsideClaim
from models.tables.platform.connection import Connection
from models.tables.platform.partner import Partner
from store.database import Database
from store.lending import loan_disbursement
from store.lending.loan_disbursement import Claim
from store.platform import claims, partner_admin
from store.saga import saga_rows
from tests.store.conftest import another_partner, give_fineract


async def loan(database: Database, partner_id: str, again: frozenset[str] = frozenset()) -> Claim:
    async with database.transaction() as session:
        return await loan_disbursement.claim(
            session,
            partner_id=partner_id,
            loan_id=91,
            currency="KES",
            source="api",
            requested_by="t",
            again_after=again,
        )


async def fineract_of(database: Database, partner_id: str) -> Connection:
    async with database.transaction() as session:
        found = await session.exec(select(Connection).where(Connection.partner_id == partner_id))
        return found.one()


async def take(database: Database, partner_id: str, *keys: OutsideKey, identity: str | None = None) -> str | None:
    row = await fineract_of(database, partner_id)
    async with database.transaction() as session:
        return await claims.take(
            session, keys, partner_id=partner_id, connection_id=row.id, by="key_1", identity=identity
        )


async def tenant(database: Database, partner_id: str) -> OutsideKey:
    row = await fineract_of(database, partner_id)
    (key,) = providers.settings_of("fineract", row.settings).claims()
    return key


async def test_one_of_many_who_claim_the_same_at_once_has_it(database: Database) -> None:
    partners = [await another_partner(database, f"t{number}") for number in range(6)]
    code = mpesa_shortcode("600998")

    async def try_it(partner_id: str) -> str:
        try:
            await take(database, partner_id, code)
        except Conflict as refused:
            return refused.code
        return "has it"

    said = await asyncio.gather(*(try_it(partner_id) for partner_id in partners))
    assert sorted(said) == ["claimed_elsewhere"] * 5 + ["has it"]


async def test_a_refusal_does_not_say_whose_it_is(database: Database, partner_id: str) -> None:
    other = await another_partner(database, "other")
    with pytest.raises(Conflict) as refused:
        await take(database, other, await tenant(database, partner_id))
    assert partner_id not in f"{refused.value.detail} {refused.value.extra}"


async def test_two_names_of_one_server_are_one_tenant(database: Database, partner_id: str) -> None:
    """By what the server says of itself: another partner cannot have it, and for its own partner loans stay known."""
    first = await tenant(database, partner_id)
    assert await take(database, partner_id, first, identity="server-1/default") == first.key
    other = await another_partner(database, "elsewhere")
    with pytest.raises(Conflict) as refused:
        await take(database, other, OutsideKey("fineract_tenant", "alias.example/default"), identity="server-1/default")
    assert refused.value.code == "claimed_elsewhere"
    second = OutsideKey("fineract_tenant", "alias.example/default")
    assert await take(database, partner_id, second, identity="server-1/default") == first.key


async def test_a_loan_that_another_partner_paid_is_never_paid_again(database: Database, partner_id: str) -> None:
    """Even where the claim has been moved since: what was paid under a tenant stays paid."""
    paid = await loan(database, partner_id)
    async with database.transaction() as session:
        await saga_rows.change(session, paid.workflow_id, ended=True, stage="completed")
    other = await another_partner(database)
    key = await tenant(database, partner_id)
    async with database.transaction() as session:
        assert await claims.move(session, key.kind, key.key, other, by="key_1") == partner_id
        await give_fineract(session, other, "default")
    with pytest.raises(Conflict) as refused:
        await loan(database, other, frozenset({"completed", "withdrawn", "refused", "failed"}))
    assert refused.value.code == "loan_paid_elsewhere"
    async with database.transaction() as session:
        assert await loan_disbursement.known_loans(session, other, [91]) == {91: "completed"}


async def test_the_former_holder_pays_no_more(database: Database, partner_id: str) -> None:
    key, other = await tenant(database, partner_id), await another_partner(database)
    async with database.transaction() as session:
        await claims.move(session, key.kind, key.key, other, by="key_1")
    with pytest.raises(Busy) as refused:
        await loan(database, partner_id)
    assert refused.value.code == "connection_unproven"
    # And were its connection called good again, the claim would still be another's.
    async with database.transaction() as session:
        row = await session.get(Connection, (await fineract_of(database, partner_id)).id)
        assert row is not None
        row.status = "ok"
        session.add(row)
    with pytest.raises(Conflict) as still:
        await loan(database, partner_id)
    assert still.value.code == "claimed_elsewhere"


async def test_an_unproven_connection_claims_no_loan(database: Database, partner_id: str) -> None:
    """Or a stranger who names a tenant could keep its loans from being paid."""
    stranger = await another_partner(database, "default", claimed=False)
    with pytest.raises(Busy) as refused:
        await loan(database, stranger)
    assert refused.value.code == "connection_unproven"
    assert (await loan(database, partner_id)).created


async def test_a_number_that_another_tenant_of_the_partner_used_is_another_loan(
    database: Database, partner_id: str
) -> None:
    first = await loan(database, partner_id)
    async with database.transaction() as session:
        await saga_rows.change(session, first.workflow_id, ended=True, stage="completed")
        row = await session.get(Connection, (await fineract_of(database, partner_id)).id)
        assert row is not None
        row.settings, row.tenant_key = {**row.settings, "tenant": "second"}, None
        session.add(row)
    second = await loan(database, partner_id)
    assert (second.created, second.workflow_id) == (True, f"{first.workflow_id}.2")


async def test_a_claim_is_not_moved_from_under_a_running_saga(database: Database, partner_id: str) -> None:
    claimed = await loan(database, partner_id)
    key, other = await tenant(database, partner_id), await another_partner(database)

    async def move(*, kind: Any = key.kind, name: str = key.key, to: str = other) -> str:
        async with database.transaction() as session:
            return await claims.move(session, kind, name, to, by="key_1")

    async def refusal(expected: Any = Conflict, **how: str) -> str:
        with pytest.raises(expected) as refused:
            await move(**how)
        return str(refused.value.code)

    assert await refusal() == "in_use"
    assert await refusal(to=partner_id) == "claimed_already"
    assert await refusal(NotFound, name="nobody.example/default") == "no_claim"
    assert await refusal(kind="fineract_identity") == "is_a_name"
    async with database.transaction() as session:
        await saga_rows.change(session, claimed.workflow_id, ended=True, stage="failed")
        receiver = await session.get(Partner, other)
        assert receiver is not None
        receiver.status = "suspended"
        session.add(receiver)
    assert await refusal(NotAllowed) == "partner_suspended"
    async with database.transaction() as session:
        receiver = await session.get(Partner, other)
        assert receiver is not None
        receiver.status = "active"
        session.add(receiver)
    assert await move() == partner_id


async def test_a_servers_identity_moves_with_its_tenant(database: Database, partner_id: str) -> None:
    key, other = await tenant(database, partner_id), await another_partner(database)
    await take(database, partner_id, key, identity="server-1/default")
    async with database.transaction() as session:
        await claims.move(session, key.kind, key.key, other, by="key_1")
        held = {(row.kind, row.partner_id) for row in await session.exec(select(OutsideClaim))}
    assert held == {("fineract_tenant", other), ("fineract_identity", other)}


async def test_loans_are_claimed_while_the_connection_is_being_given_anew(database: Database, partner_id: str) -> None:
    """Neither waits for the other for ever: whoever stores a connection holds the partner, whoever claims a loan names it."""

    async def give_anew() -> None:
        async with database.transaction() as session:
            await partner_admin.lock(session, partner_id)
            await asyncio.sleep(0.05)  # a claim holds the connection by now
            assert await partner_admin.lock_connection(session, partner_id, "fineract") is not None

    async def claim(number: int) -> bool:
        async with database.transaction() as session:
            await claims.tenant_of(session, partner_id)
            await asyncio.sleep(0.1)
            made = await loan_disbursement.claim(
                session, partner_id=partner_id, loan_id=number, currency="KES", source="api", requested_by="t",
                again_after=frozenset(),
            )  # fmt: skip
        return made.created

    _, *made = await asyncio.wait_for(asyncio.gather(give_anew(), *(claim(number) for number in range(3))), 20)
    assert made == [True] * 3
