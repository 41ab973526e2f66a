"""Whatever a provider sends is stored whole and sealed before anybody reads it; what cannot be read or believed is a case,
and is read again after a fix."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api.inbound import entrance
from core.clock import utc_now
from core.crypto import CredentialBox
from inbound import daraja
from inbound.delivery import Desk, deliver
from inbound.sealing import unseal
from models.messages.connections.bank import BankSecrets
from models.tables.platform.connection import Connection
from models.tables.platform.provider_balance import ProviderBalance
from models.tables.platform.traffic import InboxItem
from models.tables.saga.case import Case
from models.tables.saga.incoming_payment import IncomingPayment
from store.platform import inbox
from tests.api.conftest import Door
from tests.api.inbound.test_callbacks import golden
from tests.api.money import rich_lender
from tests.support.pushes import credited, event, ncba, push, secret_of

PAYMENT: dict[str, Any] = {
    "TransactionType": "Pay Bill", "TransID": "UKL9M2T4VC", "TransTime": "20261121091455", "TransAmount": "1500.00",
    "BusinessShortCode": "600997", "BillRefNumber": "000000091", "MSISDN": "2547 ***** 678", "FirstName": "WANJIRU",
}  # fmt: skip


async def items(door: Door) -> list[InboxItem]:
    return sorted(await door.rows(InboxItem), key=lambda row: row.id)


async def confirm(door: Door, partner_id: str, **sent: Any) -> httpx.Response:
    secret = await secret_of(door, partner_id, "daraja")
    return await door.visitor().post(f"/cb/in/{secret}/confirm", **sent)


@pytest.fixture
def nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies as soon as it has answered."""

    async def dead(*_: Any) -> None:
        return None

    monkeypatch.setattr(entrance, "in_turn", dead)


async def test_what_came_is_stored_before_it_is_read_and_the_sweep_reads_it(door: Door, nobody_reads: None) -> None:
    partner_id = await rich_lender(door)
    raw = b'{"TransAmount": "\xff\x00 WANJIRU 254712345678'
    assert (await confirm(door, partner_id, content=raw)).status_code == 200
    assert (await confirm(door, partner_id, json=PAYMENT)).status_code == 200
    stored = await items(door)
    assert [(row.kind, row.outcome, row.partner_id) for row in stored] == [("unread", "waiting", partner_id)] * 2
    assert unseal(door.services.box, stored[0].raw_sealed or "").body == raw
    async with door.database.transaction() as session:
        plain = (
            (await (await session.connection()).execute(text("SELECT i::text FROM webhook_inbox i"))).scalars().all()
        )
    assert not [row for row in plain if "WANJIRU" in row or "712345678" in row]
    desk = Desk(door.client, door.database, door.services.box)
    assert [await deliver(desk, row.id) for row in stored] == ["unreadable", "taken"]
    (payment,) = await door.rows(IncomingPayment)
    assert payment.external_id == "UKL9M2T4VC"


async def test_a_copy_is_counted_and_another_spelling_of_the_same_payment_is_its_copy(door: Door) -> None:
    partner_id = await rich_lender(door)
    for sent in ({"json": PAYMENT}, {"json": PAYMENT}, {"json": PAYMENT | {"FirstName": "W"}}):
        await confirm(door, partner_id, **sent)
    first, other = await items(door)
    assert (first.kind, first.outcome, first.copies) == ("payment", "taken", 3)
    assert (other.outcome, other.report) == ("copy", {"copy_of": first.id})
    assert len(await door.rows(IncomingPayment)) == 1


async def test_a_fault_of_ours_in_reading_loses_nothing(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    partner_id = await rich_lender(door)

    async def broken(*_: Any) -> Any:
        raise KeyError("MSISDN")

    with monkeypatch.context() as patch:
        patch.setitem(daraja.READERS, "confirmation", broken)
        assert (await confirm(door, partner_id, json=PAYMENT)).status_code == 200
    (item,) = await items(door)
    (case,) = await door.rows(Case)
    assert (item.outcome, case.kind, case.partner_id) == ("unreadable", "announcement_unreadable", partner_id)
    assert case.evidence["inbox_id"] == item.id

    mended = await door.admin.post(f"/api/v1/inbox/{item.id}/read-again")
    assert (mended.status_code, mended.json()["outcome"], mended.json()["kind"]) == (200, "taken", "payment")
    (payment,) = await door.rows(IncomingPayment)
    assert payment.external_id == "UKL9M2T4VC"
    (case,) = await door.rows(Case)
    assert case.state == "closed"
    assert len(await door.audit("inbox.read_again")) == 1
    again = await door.admin.post(f"/api/v1/inbox/{item.id}/read-again")
    assert (again.status_code, again.json()["code"]) == (409, "not_to_be_read")


async def test_only_the_platforms_admins_have_messages_read_again(door: Door) -> None:
    partner_id = await rich_lender(door)
    await confirm(door, partner_id, content=b"no json")
    (item,) = await items(door)
    path = f"/api/v1/inbox/{item.id}/read-again"
    resolver = await door.key("disbursements:resolve", partner_id=partner_id)
    for caller in (resolver, await door.key("disbursements:resolve")):
        assert (await caller.post(path)).status_code == 403
    assert (await door.visitor().post(path)).status_code == 401
    assert (await door.admin.post("/api/v1/inbox/inb_00000000000000000000000000/read-again")).status_code == 404
    still = await door.admin.post(path)
    assert (still.status_code, still.json()["outcome"]) == (200, "unreadable")
    assert [case.state for case in await door.rows(Case)] == ["open"]


# ------------------------------------------------------------------------------------------------------ forged pushes


async def test_a_push_of_ncba_that_proves_nothing_is_answered_stored_and_believed_in_nothing(door: Door) -> None:
    partner_id = await rich_lender(door)
    answer = await push(door, partner_id, ncba(secret="another"))
    assert answer.status_code == 200
    assert b"<Result>OK" in answer.content
    (item,) = await items(door)
    assert (item.kind, item.outcome) == ("forged", "forged")
    assert await door.rows(IncomingPayment) == []
    (case,) = await door.rows(Case)
    assert (case.kind, case.partner_id) == ("push_forged", partner_id)
    assert 'kind="bank_push",outcome="forged"} 1.0' in (await door.visitor().get("/metrics")).text


async def test_a_push_that_our_wrong_secret_called_forged_is_believed_once_it_is_mended(door: Door) -> None:
    partner_id = await rich_lender(door)
    raw = ncba(secret="the-banks-new-secret")
    await push(door, partner_id, raw)
    (item,) = await items(door)
    async with door.database.transaction() as session:
        row = await session.get(Connection, item.connection_id)
        assert row is not None
        secrets = BankSecrets.model_validate_json(door.services.box.open(row.sealed))
        mended = secrets.model_copy(update={"push_secrets": ("the-banks-new-secret",)})
        row.sealed = door.services.box.seal(mended.model_dump_json())
        session.add(row)
    await push(door, partner_id, raw)  # the bank may send it again as well
    (item,) = await items(door)
    assert (item.kind, item.outcome, item.copies) == ("payment", "taken", 2)
    assert len(await door.rows(IncomingPayment)) == 1


async def test_a_forged_push_of_a_bank_that_signs_bytes_is_refused_and_not_stored(door: Door) -> None:
    partner_id = await rich_lender(door, dialect="reference")
    for raw, headers in (event("account.credited", secret="x", **credited()), (b"{", {}), (b"[" * 60_000, {})):
        assert (await push(door, partner_id, raw, headers)).status_code == 403
    assert await items(door) == []
    assert 'kind="bank_push",outcome="forged"} 3.0' in (await door.visitor().get("/metrics")).text


async def test_whoever_forges_does_not_fill_the_disk(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "_MOST_FORGED", 3)
    partner_id = await rich_lender(door)
    for _ in range(5):
        await push(door, partner_id, ncba(secret="another"))
    assert len(await items(door)) == 3
    assert len(await door.rows(Case)) == 1


async def test_a_push_is_judged_by_the_time_of_its_arrival(door: Door, nobody_reads: None) -> None:
    partner_id = await rich_lender(door, dialect="reference")
    raw, headers = event("account.credited", **credited())
    await push(door, partner_id, raw, headers)
    (item,) = await items(door)
    services = door.services
    assert await deliver(Desk(services.client, services.database, services.box), item.id) == "taken"
    assert item.received_at <= utc_now()


# ------------------------------------------------------------------------------------------------------ late callbacks


async def test_a_late_result_blocks_no_connection_and_tells_no_balance(door: Door) -> None:
    partner_id = await door.lender()
    ended = await door.attempt(partner_id, ended="failed")
    refused = golden("result_failed", ended.reference)
    refused["Result"]["ResultCode"] = 2001
    for body in (refused, golden("result_paid", ended.reference)):
        assert (await door.visitor().post(door.callback_path(ended, "out"), json=body)).status_code == 200
    statuses = {row.provider: row.status for row in await door.rows(Connection)}
    assert statuses["daraja"] == "ok"
    assert await door.rows(ProviderBalance) == []


async def test_a_success_after_a_recorded_failure_is_a_case(door: Door) -> None:
    ended = await door.attempt(await door.lender(), ended="failed")
    async with door.database.transaction() as session:
        connection = await session.connection()
        await connection.execute(text("UPDATE payout_attempts SET state = 'failed'"))
    await door.visitor().post(door.callback_path(ended, "out"), json=golden("result_paid", ended.reference))
    (case,) = await door.rows(Case)
    assert (case.kind, case.evidence["recorded"], case.evidence["reported"]) == (
        "payout_contradiction",
        "failed",
        "paid",
    )


def test_what_is_sealed_with_a_lost_key_is_not_taken_for_readable() -> None:
    box, other = CredentialBox([CredentialBox.new_key()]), CredentialBox([CredentialBox.new_key()])
    with pytest.raises(Exception, match="cannot be opened"):
        unseal(other, box.seal("{}"))
