"""What a saga asks people to agree to: answered with a code in Temporal's own pages, told late, told never, told twice."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import select
from temporalio.client import WorkflowUpdateFailedError

from core.clock import utc_now
from core.crypto import sha256_hex
from core.ids import API_KEY, APPROVAL, PERSON, derived_id, new_id
from models.messages.housekeeping import Swept
from models.messages.saga.decisions import CommandTaken
from models.tables.lending.wallet_top_up import TopUp
from models.tables.platform.approval import ApprovalDecision, ApprovalRequest
from models.tables.platform.security import ApiKey, AuditEntry, Person
from store.platform import approvals
from store.saga import timeline
from temporal.queues import FLOWS_QUEUE
from tests.support.deciding import answered
from tests.support.house import House
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually

SEEN = "seen on the bank's statement"
CODE = "7KQ2M9XT4C"
NO_ARGUMENT: list[list[Any]] = [[], [None], [{}, {}]]
MALFORMED: list[Any] = [
    {}, "approve", None, 7, [], {"decision": "approve"}, {"code": CODE}, {"decision": "yes", "code": CODE},
    {"decision": "approve", "code": "", "actor": "key_ann"}, {"decision": "approve", "code": "x" * 65},
    {"request": "apr_1"}, {"request": derived_id(APPROVAL, "nobody's")},
    {"decision": "approve", "code": "x", "reason": "y" * 2000},
]  # fmt: skip


async def asked(house: House, desk: MoneyDesk) -> tuple[TopUp, str]:
    """A credit without a code of which Ann says that it is this partner's; its row and the request for others."""
    await desk.deposit("2500.00", "school fees")
    (row,) = await desk.wait_for_top_ups(1)
    await desk.until(row, "unallocated")
    taken = await desk.resolve(row, "allocate", actor="key_ann")
    assert taken.stage == "approval"
    async with house.database.transaction() as session:
        request = await approvals.last_of_workflow(session, row.workflow_id)
    assert request is not None
    return row, request.id


async def request_of(house: House, request_id: str) -> ApprovalRequest:
    async with house.database.transaction() as session:
        request = await approvals.get(session, request_id)
    assert request is not None
    return request


async def person(house: House, name: str, *scopes: str) -> tuple[httpx.AsyncClient, str]:
    """At the real door with a key of their own, and their id."""
    key, person_id, now = new_id("kvk"), new_id(PERSON), utc_now()
    async with house.database.transaction() as session:
        session.add(Person(id=person_id, name=name, created_at=now, created_by="test"))
        await session.flush()
        session.add(
            ApiKey(
                id=new_id(API_KEY), name=name, scopes=list(scopes) or ["admin"], prefix="test", hash=sha256_hex(key),
                person_id=person_id, created_at=now, created_by="test",
            )
        )  # fmt: skip
    client = httpx.AsyncClient(base_url=house.api_url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
    return client, person_id


async def code_of(house: House, request_id: str, name: str = "Bea") -> str:
    client, _ = await person(house, name, "top-ups:resolve")
    async with client as someone:
        made = await someone.post(f"/api/v1/approvals/{request_id}/code", json={})
    assert made.status_code == 200, made.text
    return str(made.json()["code"])


async def typed(house: House, row: TopUp, said: Any) -> CommandTaken:
    """As the update form of Temporal's UI sends it: plain JSON, whatever it is."""
    taken: CommandTaken = await house.client.get_workflow_handle(row.workflow_id).execute_update(
        "decide", said, id=new_id("ui"), result_type=CommandTaken
    )
    return taken


async def refused(house: House, row: TopUp, said: Any) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await typed(house, row, said)
    return str(getattr(error.value.cause, "type", ""))


async def assert_nothing_happened(house: House, desk: MoneyDesk, row: TopUp, request_id: str) -> None:
    assert (await request_of(house, request_id)).state == "open"
    assert (await desk.row(row)).stage == "approval"
    assert str((await house.wallet()).available) == "KES 1,000.00"


async def sweep(house: House) -> None:
    await house.client.execute_workflow("Sweep", id=new_id("sweep"), task_queue=FLOWS_QUEUE, result_type=Swept)


async def test_a_code_approves_in_temporals_own_pages_as_its_person_and_once(house: House, desk: MoneyDesk) -> None:
    row, request_id = await asked(house, desk)
    code = await code_of(house, request_id)
    said = {"decision": "approve", "code": code.lower(), "reason": SEEN}
    assert (await typed(house, row, said)).stage == "approval"
    assert (await desk.ended(row)).stage == "completed"
    assert str((await house.wallet()).available) == "KES 3,500.00"
    async with house.database.transaction() as session:
        (given,) = await approvals.answers(session, request_id)
        texts = [event.text for event in await timeline.read(session, row.workflow_id)]
        (entry,) = await session.exec(select(AuditEntry).where(AuditEntry.action == "approvals.approve"))
    assert (given.channel, given.reason) == ("temporal", SEEN)
    assert any(f"Bea agrees: {SEEN}" in text for text in texts)
    assert entry.after["channel"] == "temporal"
    assert (await request_of(house, request_id)).told_at is not None


async def test_wrong_codes_change_nothing_are_recorded_and_the_fifth_voids_the_right_one(
    house: House, desk: MoneyDesk
) -> None:
    row, request_id = await asked(house, desk)
    code = await code_of(house, request_id)
    for _ in range(5):
        assert await refused(house, row, {"decision": "approve", "code": "0000000000"}) == "code_wrong"
        await assert_nothing_happened(house, desk, row, request_id)
    assert await refused(house, row, {"decision": "approve", "code": code}) == "code_locked"
    async with house.database.transaction() as session:
        wrong = list(await session.exec(select(AuditEntry).where(AuditEntry.action == "approvals.wrong_code")))
    assert [entry.after["left"] for entry in wrong] == [4, 3, 2, 1, 0]
    anew = await code_of(house, request_id, "Cid")
    assert await refused(house, row, {"decision": "approve", "code": code}) == "code_wrong"
    await typed(house, row, {"decision": "approve", "code": anew})
    assert (await desk.ended(row)).stage == "completed"


async def test_what_is_malformed_or_signalled_without_a_code_changes_nothing_and_fails_no_saga(
    house: House, desk: MoneyDesk
) -> None:
    row, request_id = await asked(house, desk)
    handle = house.client.get_workflow_handle(row.workflow_id)
    for said in [*MALFORMED, {"request": request_id, "decision": "approve", "code": "x"}]:
        await refused(house, row, said)
        await handle.signal("decide_signal", said)
    for update in ("decide", "resolve", "retry", "cancel_request", "payment_arrived", "report"):
        for args in NO_ARGUMENT:
            with pytest.raises(WorkflowUpdateFailedError):
                await handle.execute_update(update, args=args, id=new_id("ui"))
            await handle.signal("decide_signal", args=args)
    await typed(house, row, {"request": request_id})  # it is open: that says nothing new
    await assert_nothing_happened(house, desk, row, request_id)
    await handle.signal(
        "decide_signal", {"decision": "reject", "code": await code_of(house, request_id), "reason": "not ours"}
    )
    await desk.until(row, "unallocated")
    assert (await request_of(house, request_id)).state == "rejected"


async def test_a_rejection_by_code_says_why(house: House, desk: MoneyDesk) -> None:
    row, request_id = await asked(house, desk)
    code = await code_of(house, request_id)
    assert await refused(house, row, {"decision": "reject", "code": code}) == "reason_missing"
    await typed(house, row, {"decision": "reject", "code": code, "reason": "it is another lender's"})
    assert (await desk.row(row)).stage == "unallocated"
    assert (await request_of(house, request_id)).note == "it is another lender's"
    assert await refused(house, row, {"decision": "approve", "code": code}) == "wrong_stage"


async def test_a_code_is_given_to_nobody_who_could_not_agree(house: House, desk: MoneyDesk) -> None:
    row, request_id = await asked(house, desk)
    reader, _ = await person(house, "Reader", "top-ups:read")
    dan, dans = await person(house, "Dan")
    async with reader, dan:
        assert (await reader.post(f"/api/v1/approvals/{request_id}/code", json={})).status_code == 404
        async with house.database.transaction() as session:
            request = await approvals.get(session, request_id, for_update=True)
            assert request is not None
            request.beneficiaries = [dans]
            session.add(request)
        profits = await dan.post(f"/api/v1/approvals/{request_id}/code", json={})
    assert (profits.status_code, profits.json()["code"]) == (409, "is_beneficiary")
    await assert_nothing_happened(house, desk, row, request_id)


async def test_an_answer_that_its_saga_was_not_told_of_is_told_by_the_sweep(house: House, desk: MoneyDesk) -> None:
    """The process that took it died right after its transaction."""
    row, request_id = await asked(house, desk)
    await answered(house.database, row.workflow_id, "approve", by="bob")
    await assert_told_by_the_sweep(house, row, request_id)
    assert (await desk.ended(row)).stage == "completed"
    await sweep(house)
    assert str((await house.wallet()).available) == "KES 3,500.00"


async def test_nobody_agreed_in_time(house: House, desk: MoneyDesk) -> None:
    row, request_id = await asked(house, desk)
    async with house.database.transaction() as session:
        request = await approvals.get(session, request_id, for_update=True)
        assert request is not None
        request.expires_at = utc_now() - timedelta(seconds=1)
        session.add(request)
    await sweep(house)
    await desk.until(row, "unallocated")
    assert (await request_of(house, request_id)).state == "expired"
    async with house.database.transaction() as session:
        texts = [event.text for event in await timeline.read(session, row.workflow_id)]
    assert any("has expired: nobody agreed in time" in text for text in texts)
    await desk.resolve(row, "allocate", actor="key_ann")  # anybody may propose it anew
    await desk.resolve(row, "approve", actor="key_bob")
    assert (await desk.ended(row)).stage == "completed"


async def test_two_who_approve_at_once_credit_once(house: House, desk: MoneyDesk) -> None:
    row, request_id = await asked(house, desk)
    codes = [await code_of(house, request_id, name) for name in ("Bea", "Cid")]
    results = await asyncio.gather(
        *(typed(house, row, {"decision": "approve", "code": code}) for code in codes), return_exceptions=True
    )
    assert [isinstance(one, WorkflowUpdateFailedError) for one in results].count(True) <= 1
    assert (await desk.ended(row)).stage == "completed"
    assert str((await house.wallet()).available) == "KES 3,500.00"
    async with house.database.transaction() as session:
        assert len(list(await session.exec(select(ApprovalDecision)))) == 1


async def assert_told_by_the_sweep(house: House, row: TopUp, request_id: str) -> None:
    async with house.database.transaction() as session:
        request = await approvals.get(session, request_id, for_update=True)
        assert request is not None
        assert (request.state, request.told_at) == ("approved", None)
        request.ended_at = utc_now() - timedelta(minutes=1)
        session.add(request)

    await sweep(house)

    async def told() -> bool:
        return (await request_of(house, request_id)).told_at is not None

    await eventually(told)
