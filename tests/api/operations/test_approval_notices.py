"""Who is told that something waits for them: at once, again, a wider circle; nobody twice, and nobody who cannot agree."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlmodel import col, select

from activities.scheduled.approval_care import ApprovalCare
from core.clock import utc_now
from core.ids import PERSON, new_id
from models.tables.platform.approval import ApprovalRequest
from models.tables.platform.security import Person
from models.tables.platform.traffic import Notification
from store.platform import approvals
from store.platform.approvals import Asked
from tests.api.conftest import Door


async def person(door: Door, name: str, *scopes: str, partner_id: str | None = None, language: str = "en") -> str:
    row = Person(
        id=new_id(PERSON), name=name, email=f"{name.lower()}@kivuko.example", password_hash="x", scopes=list(scopes),
        partner_id=partner_id, language=language, created_at=utc_now(), created_by="test",
    )  # fmt: skip
    async with door.database.transaction() as session:
        session.add(row)
    return row.id


async def request(door: Door, by: str) -> str:
    async with door.database.transaction() as session:
        row, _ = await approvals.ask(
            session,
            Asked(act="wallets.credit", scope="wallets:credit", house_only=True, subject="FT-1", content={"to": "x"},
                  evidence="slip", requested_by=by, requested_via="ses_1", barred=[by]),
        )  # fmt: skip
    return row.id


async def change(door: Door, request_id: str, how: Callable[[ApprovalRequest], Any]) -> None:
    async with door.database.transaction() as session:
        row = await approvals.get(session, request_id, for_update=True)
        assert row is not None
        how(row)
        session.add(row)


def ago(**time: float) -> Callable[[ApprovalRequest], None]:
    def make_old(row: ApprovalRequest) -> None:
        row.created_at = utc_now() - timedelta(**time)

    return make_old


async def told(door: Door) -> list[tuple[str, str]]:
    """Whom since the last time, and of what."""
    await ApprovalCare(door.database, door.client, "https://kivuko.example").care()
    async with door.database.transaction() as session:
        rows = list(await session.exec(select(Notification).where(col(Notification.event) == "approval_waits")))
        for row in rows:
            await session.delete(row)
    return sorted((row.recipient, row.subject or "") for row in rows)


async def test_those_who_could_agree_are_told_again_and_then_a_wider_circle(door: Door) -> None:
    lender = await door.lender()
    ann = await person(door, "Ann", "wallets:credit")
    await person(door, "Bob", "wallets:credit", language="sw")
    await person(door, "Cid", "top-ups:read")
    await person(door, "Dan", "wallets:credit", partner_id=lender)
    await person(door, "Eve", "admin")
    request_id = await request(door, ann)
    first = [("bob@kivuko.example", "wallets.credit inasubiri idhini yako"),
             ("eve@kivuko.example", "wallets.credit waits for your approval")]  # fmt: skip
    assert await told(door) == first
    assert await told(door) == []
    await change(door, request_id, ago(hours=4, minutes=1))
    assert [who for who, _ in await told(door)] == ["bob@kivuko.example", "eve@kivuko.example"]
    assert await told(door) == []
    await change(door, request_id, ago(hours=25))
    assert [subject for _, subject in await told(door)] == [
        "wallets.credit bado inasubiri idhini yako", "wallets.credit still waits for your approval",
    ]  # fmt: skip
    await change(door, request_id, ago(hours=49))
    assert len(await told(door)) == 2  # the wider circle
    assert await told(door) == []
    assert (await row_of(door, request_id)).escalated_at is not None


async def test_a_partners_own_request_goes_to_the_house_when_nobody_there_answers(door: Door) -> None:
    lender = await door.lender()
    ann = await person(door, "Ann", "partners:write", partner_id=lender)
    await person(door, "Bob", "partners:write", partner_id=lender)
    eve = await person(door, "Eve", "admin")
    async with door.database.transaction() as session:
        row, _ = await approvals.ask(
            session,
            Asked(act="contacts.authorise", scope="partners:write", subject="cnt_1", content={}, evidence="new",
                  partner_id=lender, requested_by=ann, requested_via="ses_1", barred=[ann, eve]),
        )  # fmt: skip
    assert [who for who, _ in await told(door)] == ["bob@kivuko.example"]
    await change(door, row.id, ago(hours=49))
    assert [who for who, _ in await told(door)] == ["bob@kivuko.example"]  # Eve stands behind it


async def test_what_is_over_or_was_answered_is_told_to_nobody(door: Door) -> None:
    ann = await person(door, "Ann", "wallets:credit")
    await person(door, "Bob", "wallets:credit")
    request_id = await request(door, ann)
    await change(door, request_id, lambda row: approvals.end(row, "rejected", note="no"))
    assert await told(door) == []
    late = await request(door, ann)

    def expire(row: ApprovalRequest) -> None:
        row.expires_at = utc_now() - timedelta(seconds=1)

    await change(door, late, expire)
    assert await told(door) == []
    assert (await row_of(door, late)).state == "expired"


async def row_of(door: Door, request_id: str) -> ApprovalRequest:
    async with door.database.transaction() as session:
        row = await approvals.get(session, request_id)
    assert row is not None
    return row
