"""The missing-callback desk at the front door: listed, asked about, decided from a file, and nothing guessed."""

import asyncio
import csv
import io
from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.clock import utc_now
from core.desk_files import DECISION_COLUMNS, FACT_COLUMNS
from core.money import Money
from inbound.lending.loan_disbursement import Started
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.platform.security import AuditEntry
from models.tables.saga.payout_attempt import PayoutAttempt
from store.lending import loan_products
from store.saga import saga_rows, unknown_outcomes
from temporal import commands
from tests.api.conftest import Door
from tests.api.lending.test_loan_disbursement import PARKED
from tests.store.saga.test_unknown_outcomes import age, mark, payout, saga
from tests.support.house import House
from tests.support.waiting import eventually

DESK = "/api/v1/unknown-outcomes"
CSV = {"Content-Type": "text/csv; charset=utf-8"}
HEADER = ",".join(DECISION_COLUMNS)


async def silent(door: Door, partner_id: str, loan_id: int = 1, provider_reference: str | None = None) -> str:
    """A payout that was accepted ten minutes ago, of a saga that nobody works on."""
    reference = await payout(door.database, partner_id, await saga(door.database, partner_id, loan_id))
    await mark(door.database, reference, "accepted", provider_reference=provider_reference)
    await age(door.database, reference)
    return reference


async def send(client: httpx.AsyncClient, path: str, *lines: str, **headers: str) -> httpx.Response:
    return await client.post(f"{DESK}/{path}", content="\r\n".join(lines) + "\r\n", headers={**CSV, **headers})


def results(answer: httpx.Response) -> list[tuple[int, str]]:
    assert answer.status_code == 200, answer.text
    return [(row["line"], row["result"]) for row in answer.json()["items"]]


def mistakes(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    assert all(error["detail"] for error in answer.json()["errors"])
    return [(error["field"], error["rule"]) for error in answer.json()["errors"]]


# ------------------------------------------------------------------------------------------------------------ the list


async def test_what_was_silent_long_enough_is_listed_with_its_saga(door: Door) -> None:
    partner_id = await door.lender()
    reference = await silent(door, partner_id, provider_reference="AG_1")
    (row,) = (await door.admin.get(DESK)).json()["items"]
    assert (row["reference"], row["provider_reference"], row["state"], row["kind"]) == (
        reference, "AG_1", "accepted", "payout",
    )  # fmt: skip
    assert row["amount"] == {"amount": "1250.00", "currency": "KES"}
    assert (row["to"], row["case_id"], row["partner_id"]) == ("+2547•••••678", None, partner_id)
    assert 600 <= row["age_seconds"] < 700
    assert row["saga"]["href"] == f"/api/v1/disbursements/{row['saga']['id']}"
    assert (await door.admin.get(f"{DESK}?minutes=60")).json()["items"] == []
    assert (await door.admin.get(f"{DESK}?minutes=-1")).status_code == 422


async def test_pages_follow_each_other(door: Door) -> None:
    partner_id = await door.lender()
    made = [await silent(door, partner_id, loan_id) for loan_id in (1, 2, 3)]
    first = (await door.admin.get(f"{DESK}?limit=2")).json()
    rest = (await door.admin.get(f"{DESK}?limit=2&cursor={first['next_cursor']}")).json()
    assert [row["reference"] for row in first["items"] + rest["items"]] == made
    assert rest["next_cursor"] is None


async def test_a_partner_sees_its_own_alone(door: Door) -> None:
    mine, other = await door.lender("Mine"), await door.lender("Other")
    own, foreign = await silent(door, mine), await silent(door, other)
    visitor = await door.key("disbursements:read", "disbursements:write", partner_id=mine)
    assert [row["reference"] for row in (await visitor.get(DESK)).json()["items"]] == [own]
    assert (await visitor.get(f"{DESK}?partner_id={other}")).status_code == 404
    asked = await visitor.post(f"{DESK}/ask", json={"references": [foreign]})
    assert results(asked) == [(1, "unknown_reference")]
    assert other not in asked.text


async def test_the_file_to_fill_in_runs_no_formula(door: Door) -> None:
    await silent(door, await door.lender(), provider_reference="=HYPERLINK(1)")
    answer = await door.admin.get(f"{DESK}/export")
    assert answer.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert tuple(row) == (*DECISION_COLUMNS, *FACT_COLUMNS)
    assert row["provider_reference"] == "'=HYPERLINK(1)"
    assert row["to"] == "'+2547•••••678"
    assert (row["decision"], row["amount"]) == ("", "1250.00")


# --------------------------------------------------------------------------------------------------- files that are bad


async def test_a_file_with_a_bad_line_is_refused_whole_and_the_line_named(door: Door) -> None:
    reference = await silent(door, await door.lender())
    assert mistakes(await send(door.admin, "ask", reference, "A B", "AG_1,AG_2")) == [("line 3", "wrong_cells")]
    assert mistakes(await send(door.admin, "ask", "ConvRef", reference, "A 1", "A1")) == [
        ("line 1", "bad_reference"), ("line 3", "bad_reference"), ("line 4", "bad_reference"),
    ]  # fmt: skip
    assert mistakes(await send(door.admin, "ask", *["AG_1"] * 1001)) == [("line 1001", "too_many_rows")]
    bad = await send(door.admin, "resolve", HEADER, "AG_1,paid,,seen it", "AG_2,perhaps,,")
    assert mistakes(bad) == [
        ("line 2.receipt", "receipt_missing"), ("line 3.decision", "unknown_decision"),
        ("line 3.evidence", "bad_evidence"),
    ]  # fmt: skip
    assert await door.audit("unknown_outcomes.ask") == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"references": []}, 422, "validation_failed"),
        ({"references": ["A B"]}, 422, "validation_failed"),
        ({"references": [5]}, 422, "validation_failed"),
        ({"references": ["AG_1"] * 1001}, 422, "validation_failed"),
        ({"references": ["AG_1"], "all": True}, 422, "validation_failed"),
        (None, 400, "malformed_json"),
    ],
)
async def test_a_list_that_is_bad_is_refused(door: Door, body: Any, status: int, code: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = (
        await door.admin.post(f"{DESK}/ask", content="{", headers=headers)
        if body is None
        else await door.admin.post(f"{DESK}/ask", json=body)
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert body is None or all(error["field"] for error in answer.json()["errors"])


@pytest.mark.parametrize(("path", "kind"), [("ask", "text/plain"), ("resolve", "application/json"), ("resolve", "")])
async def test_another_media_type_is_refused(door: Door, path: str, kind: str) -> None:
    answer = await door.admin.post(f"{DESK}/{path}", content="x", headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


# ----------------------------------------------------------------------------------------------- rows that lead nowhere


async def test_each_row_gets_its_own_answer(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "TIMEOUT", timedelta(seconds=0.3))
    partner_id = await door.lender()
    ended = await silent(door, partner_id, 1)
    await end(door, ended)
    paid = await silent(door, partner_id, 2)
    await finish(door, paid)
    twins = [await silent(door, partner_id, loan_id, "AG_22") for loan_id in (3, 4)]
    unstarted = await silent(door, partner_id, 5)  # its workflow was never started
    asked = await send(door.admin, "ask", "reference", "AG_0", ended, paid, "AG_22", unstarted, unstarted)
    assert results(asked) == [
        (2, "unknown_reference"), (3, "saga_ended"), (4, "not_waiting"), (5, "ambiguous_reference"), (6, "saga_ended"),
        (7, "saga_ended"),
    ]  # fmt: skip
    rows = [f"{reference},not_paid,,portal" for reference in ("AG_0", ended, paid, "AG_22")]
    assert results(await send(door.admin, "resolve", HEADER, *rows)) == [
        (2, "unknown_reference"), (3, "saga_ended"), (4, "not_waiting"), (5, "ambiguous_reference"),
    ]  # fmt: skip
    taken = await send(door.admin, "resolve", HEADER, f"{twins[0]},paid,UKL4X7QW2D,portal")
    assert results(taken) == [(2, "receipt_taken")]


async def end(door: Door, reference: str) -> None:

    async with door.database.transaction() as session:
        (row,) = await saga_rows.page(session, Disbursement)
        await saga_rows.change(session, row.workflow_id, ended=True, stage="completed")


async def finish(door: Door, reference: str) -> None:
    from store.saga import payouts

    async with door.database.transaction() as session:
        await payouts.finish(session, reference, "paid", receipt="UKL4X7QW2D")


async def test_a_workflow_engine_that_is_away_leaves_rows_to_be_repeated(door: Door) -> None:
    reference = await silent(door, await door.lender())
    async with door.without_temporal():
        asked = await send(door.admin, "ask", reference)
    assert results(asked) == [(1, "busy")]
    assert len(await door.audit("unknown_outcomes.ask")) == 1


async def test_a_key_that_may_not_decide_is_told_so_per_row(door: Door) -> None:
    partner_id = await door.lender()
    reference = await silent(door, partner_id)
    reader = await door.key("disbursements:read", partner_id=partner_id)
    assert results(await reader.post(f"{DESK}/ask", json={"references": [reference]})) == [(1, "not_allowed")]
    decided = await send(reader, "resolve", HEADER, f"{reference},not_paid,,portal")
    assert results(decided) == [(2, "not_allowed")]
    assert decided.json()["items"][0]["detail"] == "The key lacks the scope disbursements:resolve."
    assert await door.audit("unknown_outcomes.resolve") == []


# -------------------------------------------------------------------------------------------------------- whole house


async def in_review(house: House) -> tuple[Started, PayoutAttempt]:
    """A payout that M-Pesa made and told nobody of."""
    started = await house.start(await house.approve_loan(), PARKED)
    await house.until_stage(started, "in_review")
    async with house.database.transaction() as session:
        last = (await unknown_outcomes.last_payouts(session, [started.workflow_id]))[started.workflow_id]
        attempt = await session.get(PayoutAttempt, last)
    assert attempt is not None
    return started, attempt


async def test_asking_by_a_conversation_id_brings_the_outcome(house: House, house_admin: httpx.AsyncClient) -> None:
    await house.fault("daraja.b2c.result", "lose")
    await house.fault("daraja.status.answer", "lose")
    started, attempt = await in_review(house)
    (row,) = (await house_admin.get(f"{DESK}?minutes=0")).json()["items"]
    assert (row["reference"], row["case_id"][:4]) == (attempt.reference, "cas_")
    asked = await send(house_admin, "ask", "ConversationID", str(attempt.provider_reference), attempt.reference)
    assert results(asked) == [(2, "asked"), (3, "asked")]
    assert asked.json()["items"][0]["saga"]["id"] == started.disbursement_id
    assert (await house.result(started)).ending == "completed"
    again = await house_admin.post(f"{DESK}/ask", json={"references": [attempt.reference]})
    assert results(again) == [(1, "saga_ended")]


async def test_a_file_of_decisions_is_taken_row_by_row(house: House, house_admin: httpx.AsyncClient) -> None:
    await house.fault("daraja.b2c.result", "lose", times=2)
    await house.fault("daraja.status.answer", "lose", times=50)
    somebody_else = {"name": "two", "new_person": "Two", "scopes": ["disbursements:resolve"]}
    assert (await house_admin.post("/api/v1/keys", json=somebody_else)).status_code == 201
    (first, sent), (second, other) = [await in_review(house) for _ in range(2)]
    receipts = {payout["reference"]: payout["receipt"] for payout in await house.payouts()}

    exported = (await house_admin.get(f"{DESK}/export?minutes=0")).text
    rows = list(csv.DictReader(io.StringIO(exported, newline="")))
    filled = {sent.reference: ("paid", receipts[sent.reference]), other.reference: ("not_paid", "")}
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    for row in rows:
        decision, receipt = filled[row["reference"]]
        writer.writerow({**row, "decision": decision, "receipt": receipt, "evidence": "portal, 21 November"})
    # Nobody can say before its time that the second one was not paid.
    assert other.send_by is not None
    await asyncio.sleep(max(0.0, (other.send_by - utc_now()).total_seconds()) + 2.5)
    key = {"Idempotency-Key": "file-1"}
    answers = [
        await house_admin.post(f"{DESK}/resolve", content=text.getvalue().encode(), headers={**CSV, **key})
        for _ in range(2)
    ]
    assert results(answers[0]) == [(2, "taken"), (3, "taken")]
    assert (answers[1].json(), answers[1].headers["idempotency-replayed"]) == (answers[0].json(), "true")
    assert (await house.result(first)).receipts == (receipts[sent.reference],)
    waiting = (await house_admin.get("/api/v1/disbursements?stage=approval")).json()["items"]
    assert [row["id"] for row in waiting] == [second.disbursement_id]
    own = await send(house_admin, "resolve", HEADER, f"{other.reference},approve,,so say I")
    assert results(own) == [(2, "refused")]
    body = {"name": "second", "new_person": "Second", "scopes": ["disbursements:read", "disbursements:resolve"]}
    made = (await house_admin.post("/api/v1/keys", json=body)).json()["key"]
    async with httpx.AsyncClient(
        verify=False, base_url=house.api_url, headers={"Authorization": f"Bearer {made}"}
    ) as agreeing:
        agreed = await send(agreeing, "resolve", HEADER, f"{other.reference},approve,,seen there too")
    assert results(agreed) == [(2, "taken")]
    assert (await house.result(second)).code == "resolved_not_paid"
    await assert_each_row_is_recorded(house, sent.reference, other.reference)


async def assert_each_row_is_recorded(house: House, *references: str) -> None:
    from sqlmodel import select

    async with house.database.transaction() as session:
        entries = list(await session.exec(select(AuditEntry).where(AuditEntry.action == "unknown_outcomes.resolve")))
    assert {entry.subject for entry in entries} == set(references)
    assert {entry.after["decision"] for entry in entries} == {"paid", "not_paid", "approve"}
    assert all(entry.after["decision_id"][:4] in ("dec_", "apd_") for entry in entries)


async def test_a_decision_never_falls_on_another_part_of_a_split_loan(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    """The first part is paid and its row not yet written so; "not paid" about it must not release the second."""

    async with house.database.transaction() as session:
        product = await loan_products.get(session, house.partner_id, 1)
        assert product is not None
        product.max_minor, product.above_maximum = 500_000, "split"
        session.add(product)
    await house.fault("daraja.b2c.result", "lose", times=2)
    await house.fault("daraja.status.answer", "lose", times=50)
    started = await house.start(await house.approve_loan("10000.00"), PARKED)
    await house.until_stage(started, "in_review")
    (first,) = await house.payouts()
    taken = await send(house_admin, "resolve", HEADER, f"{first['reference']},paid,{first['receipt']},portal")
    assert results(taken) == [(2, "taken")]

    async def second_in_review() -> bool:
        status = await house.status(started)
        return len(status.legs) == 2 and status.legs[1].state == "in_review"

    await eventually(second_in_review)
    wrong = await send(house_admin, "resolve", HEADER, f"{first['reference']},not_paid,,portal")
    assert results(wrong) == [(2, "not_waiting")]
    second = next(one for one in await house.payouts() if one["reference"] != first["reference"])
    same = await send(house_admin, "resolve", HEADER, f"{second['reference']},paid,{first['receipt']},portal")
    assert results(same) == [(2, "receipt_taken")]
    right = await send(house_admin, "resolve", HEADER, f"{second['reference']},paid,{second['receipt']},portal")
    assert results(right) == [(2, "taken")]
    assert (await house.result(started)).receipts == (first["receipt"], second["receipt"])
    assert (await house.row(started)).paid_minor == Money.parse("10000.00", "KES").minor
