"""After a rotation the old credential key opens nothing that is still needed, because nothing is sealed with it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Text
from sqlmodel import select

from core.clock import utc_now
from core.crypto import CredentialBox
from core.errors import NotAllowed
from core.ids import CONNECTION, NOTIFICATION, PARTNER, PERSON, new_id
from models.tables.platform.connection import Connection
from models.tables.platform.partner import Partner
from models.tables.platform.security import IdempotencyKey, Person
from models.tables.platform.traffic import Notification
from store.database import Database
from store.platform import people, resealing, secret_addresses, sign_in_links

OLD, NEW = CredentialBox.new_key(), CredentialBox.new_key()


async def sealed_with_the_old_key(database: Database, *, count: int = 1) -> str:
    box, now, partner_id = CredentialBox([OLD]), utc_now(), new_id(PARTNER)
    async with database.transaction() as session:
        session.add(
            Partner(
                id=partner_id, name=partner_id, currency="KES", country="KE", timezone="Africa/Nairobi", language="en",
                status="active", low_balance_minor=0, created_at=now, updated_at=now,
            )
        )  # fmt: skip
        await session.flush()
        session.add(
            Connection(
                id=new_id(CONNECTION), partner_id=partner_id, provider="bank", settings={}, sealed=box.seal("credentials"),
                version=1, status="ok", created_at=now, updated_at=now, **secret_addresses.made(box),
            )
        )  # fmt: skip
        answers: list[Any] = [{"sealed": box.seal(json.dumps({"key": "kvk_x"}))}, {"id": "key_1"}, None]
        for number in range(count):
            for kind, answer in enumerate(answers):
                session.add(
                    IdempotencyKey(
                        principal="key_1", key=f"{kind}-{number:05}", request="POST /", body_hash="x", status=201,
                        answer=answer, claimed_at=now,
                    )
                )  # fmt: skip
        for state, text, is_sealed in (
            ("pending", box.seal("123456"), True), ("sent", "•••", True), ("pending", "Your loan is paid.", False),
        ):  # fmt: skip
            session.add(
                Notification(
                    id=new_id(NOTIFICATION), key=new_id("key"), event="float_code", channel="sms",
                    recipient="+254711000222", text=text, state=state, sealed=is_sealed, next_attempt_at=now, created_at=now,
                    expires_at=now + timedelta(minutes=5),
                )
            )  # fmt: skip
        person_id = new_id(PERSON)
        await people.add(
            session,
            Person(id=person_id, name="x", created_at=now, created_by="x", totp_sealed=box.seal("secret of codes")),
        )
        await sign_in_links.make(
            session, person_id, "invitation", makers=[], by="x", now=now, until=now + timedelta(days=1),
            totp_sealed=box.seal("secret to come"),
        )  # fmt: skip
    return partner_id


async def test_every_sealed_column_opens_with_the_new_key_alone(database: Database) -> None:
    partner_id = await sealed_with_the_old_key(database)
    counts = await resealing.reseal(database, CredentialBox([NEW, OLD]))
    assert counts == {
        "connections.sealed": 1, "connections.address_secret": 1, "idempotency_keys.answer": 1,
        "notifications.text": 1, "people.totp_sealed": 1, "sign_in_links.totp_sealed": 1,
    } | {name: 0 for name in counts if name == "webhook_inbox.raw_sealed"}  # fmt: skip
    box = CredentialBox([NEW])
    async with database.transaction() as session:
        (connection,) = await session.exec(select(Connection).where(Connection.partner_id == partner_id))
        assert secret_addresses.digest(secret_addresses.opened(connection, box)) == connection.address_digest
        for sealed in resealing.COLUMNS:
            column = sealed.table.c[sealed.column]
            query = sealed.table.select().where(column.cast(Text).like("%gAAAAA%"))
            for row in (await (await session.connection()).execute(query)).mappings():
                value = row[sealed.column]
                box.open(value["sealed"] if isinstance(value, dict) else value)


async def test_more_than_a_batch_is_sealed_anew(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "_BATCH", 7)
    await sealed_with_the_old_key(database, count=20)
    assert (await resealing.reseal(database, CredentialBox([NEW, OLD])))["idempotency_keys.answer"] == 20


async def test_what_no_key_opens_is_said_and_not_skipped(database: Database) -> None:
    await sealed_with_the_old_key(database)
    with pytest.raises(NotAllowed) as refused:
        await resealing.reseal(database, CredentialBox([NEW]))
    assert refused.value.code == "sealed"


def test_no_column_of_sealed_content_is_forgotten() -> None:
    """A column that is named like one must be in the list."""
    from models.tables.registry import metadata

    named = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, Text) and (column.name.endswith(("sealed", "_secret")))
    }
    assert named <= {sealed.name for sealed in resealing.COLUMNS}
