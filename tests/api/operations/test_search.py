"""One box finds a payment by whatever is known of it, for those who may see it, and nobody else's."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import event, insert

from core.clock import utc_now
from core.ids import CASE, new_id
from core.money import Money
from core.msisdn import Msisdn
from models.messages.saga.prompts import PromptInstruction
from models.tables.base import table_of
from models.tables.saga.case import Case
from store.lending import customer_collection
from store.saga import prompts
from tests.api.conftest import Door
from tests.support.orders import to_prompt
from tests.support.payments import NAME, PHONE, RECEIPT, paid_loan, paybill


async def search(visitor: httpx.AsyncClient, q: str, **more: Any) -> list[dict[str, Any]]:
    answer = await visitor.post("/api/v1/search", json={"q": q, **more})
    assert answer.status_code == 200, answer.text
    return [hit for group in answer.json()["groups"] for hit in group["hits"]]


async def ids(visitor: httpx.AsyncClient, q: str, **more: Any) -> list[str]:
    return [hit["id"] for hit in await search(visitor, q, **more)]


# ------------------------------------------------------------------------------------------------------- what is found


async def test_a_loan_is_found_by_everything_that_people_know_of_it(door: Door) -> None:
    partner_id = await door.lender()
    loan = await paid_loan(door.database, partner_id)
    other = await paid_loan(
        door.database, partner_id, 92, phone="+254799999999", name="Ali Hassan", receipt="ZZZ4X7QW2D"
    )
    known = {
        "id": (loan["id"], loan["workflow"], loan["leg"], loan["id"].upper()),
        "reference": (loan["attempt"], loan["conversation"]),
        "receipt": (RECEIPT, RECEIPT.lower()),
        "loan": ("91",),
        "account": (loan["account"],),
        "phone": ("0712345678", "254712345678", "+254 712 345 678", "0712 345 678", "+254712345678"),
        "name": ("Jane Wanjiku Njeri", "njeri JANE", "Wanjiku", "wanjikũ"),
    }
    for why, texts in known.items():
        for text in texts:
            hits = await search(door.admin, text)
            assert [hit["id"] for hit in hits] == [loan["id"]], text
            assert why in hits[0]["why"], text
    assert set(await ids(door.admin, "invoice/7")) == {loan["id"], other["id"]}


async def test_a_hit_says_what_it_is_without_another_question(door: Door) -> None:
    partner_id = await door.lender()
    loan = await paid_loan(door.database, partner_id)
    (hit,) = await search(door.admin, RECEIPT)
    assert hit | {"created_at": "-"} == {
        "kind": "loan-disbursement", "id": loan["id"], "href": f"/api/v1/disbursements/{loan['id']}", "exact": True,
        "why": ["receipt"], "partner_id": partner_id, "lender": "Jaza Sacco", "stage": "completed",
        "status": "completed", "amount": {"amount": "12500.00", "currency": "KES"}, "phone": "+2547•••••678",
        "name": NAME, "account": loan["account"], "receipt": RECEIPT, "created_at": "-",
    }  # fmt: skip
    assert (await door.admin.get(hit["href"])).status_code == 200


async def test_a_payment_that_came_in_is_found_by_its_payer_and_by_what_was_typed(door: Door) -> None:
    partner_id = await door.lender()
    collection = await paybill(door.database, partner_id, "QAB1CDE2FG")
    for text in ("QAB1CDE2FG", "0711000222", "0711 000 222", "otieno peter", "OTIENO", collection):
        (hit,) = await search(door.admin, text)
        assert (hit["kind"], hit["id"]) == ("customer-collection", collection), text
        assert (hit["receipt"], hit["phone"]) == ("QAB1CDE2FG", "+2547•••••222")
    waiting = await paybill(door.database, partner_id, "QAB1CDE2FH", claimed=False, payer_name="ZAWADI")
    for text in ("QAB1CDE2FH", "zawadi", waiting):
        (hit,) = await search(door.admin, text)
        assert (hit["kind"], hit["id"], hit["href"]) == ("incoming payment", waiting, None), text
        assert hit["amount"] == {"amount": "500.00", "currency": "KES"}


async def test_what_a_second_channel_knows_more_is_found_as_well(door: Door) -> None:
    partner_id = await door.lender()
    await paybill(door.database, partner_id, "QAB1CDE2FK", payer_name="", payer_phone=None)
    assert await ids(door.admin, "Zawadi") == []
    found = await paybill(door.database, partner_id, "QAB1CDE2FK", payer_name="Zawadi", channel="pull")
    assert await ids(door.admin, "Zawadi") == [found]


async def test_a_prompt_is_found_by_its_payers_phone_and_the_providers_id(door: Door) -> None:
    partner_id, phone = await door.lender(), Msisdn("+254733111222")
    async with door.database.transaction() as session:
        row = await customer_collection.begin_prompted(
            session, partner_id=partner_id, amount=Money(50_000, "KES"), account_ref="000000091", msisdn=phone,
            requested_by="test",
        )  # fmt: skip
    assert await ids(door.admin, "0733 111 222") == [row.id]  # before anything is sent
    async with door.database.transaction() as session:
        instruction = PromptInstruction(
            leg_id="ask_" + row.id[4:], partner_id=partner_id, workflow_id=row.workflow_id, provider="daraja",
            msisdn=phone, amount=Money(50_000, "KES"), payer_reference=row.payer_reference or "", description="Loan",
        )  # fmt: skip
        await prompts.begin(session, to_prompt(instruction))
        await prompts.mark(session, f"{instruction.leg_id}-p1", "asked", provider_reference="ws_CO_2111202609140312")
    for text in ("0733111222", "ws_CO_2111202609140312", row.payer_reference, f"ask_{row.id[4:]}-p1", "000000091"):
        assert await ids(door.admin, str(text)) == [row.id], text


async def test_lenders_and_cases_are_found(door: Door) -> None:
    jaza, other = await door.lender("Jaza Sacco"), await door.lender("Jaza Sacco Two")
    case_id = new_id(CASE)
    row = {
        "id": case_id, "key": "k", "kind": "report_unclaimed", "partner_id": jaza, "summary": "s",
        "evidence": {"receipt": RECEIPT}, "actions": [], "state": "open", "opened_at": utc_now(),
    }  # fmt: skip
    async with door.database.transaction() as session:
        await (await session.connection()).execute(insert(table_of(Case)).values(row))
    hits = await search(door.admin, "jaza sacco")
    assert [(hit["id"], hit["exact"]) for hit in hits] == [(jaza, True), (other, False)]
    assert await ids(door.admin, other) == [other]
    (hit,) = await search(door.admin, case_id)
    assert (hit["kind"], hit["href"], hit["receipt"]) == ("case", f"/api/v1/cases/{case_id}", RECEIPT)


async def test_exact_ones_come_first_and_the_newest_before_the_older(door: Door) -> None:
    partner_id = await door.lender()
    whole = await paid_loan(
        door.database, partner_id, 1, phone="+254700000001", name="Jane Njeri", receipt="R1R1R1R1R1"
    )
    for number, name in enumerate(("Jane Wangari Njeri", "Njeri Jane Auma"), start=2):
        await paid_loan(
            door.database, partner_id, number, phone=f"+25470000000{number}", name=name, receipt=f"R{number}R1R1R1R1"
        )
    hits = await search(door.admin, "Jane Njeri")
    assert [(hit["name"], hit["exact"]) for hit in hits] == [
        ("Jane Njeri", True), ("Njeri Jane Auma", False), ("Jane Wangari Njeri", False),
    ]  # fmt: skip
    assert whole["id"] == hits[0]["id"]
    part = await search(door.admin, whole["id"][:12])
    assert {hit["exact"] for hit in part} == {False}


async def test_no_more_than_fifty_are_shown_and_it_says_that_there_are_more(door: Door) -> None:
    partner_id = await door.lender()
    for number in range(51):
        await paybill(door.database, partner_id, f"QAB1CDE{number:03}", payer_phone=Msisdn("+254711000222"))
    answer = (await door.admin.post("/api/v1/search", json={"q": "0711000222"})).json()
    assert (answer["count"], answer["more"]) == (50, True)


# ----------------------------------------------------------------------------------------------------------- who may see


async def test_another_lenders_payment_is_never_found(door: Door) -> None:
    jaza, other = await door.lender(), await door.lender("Other Sacco")
    loan = await paid_loan(door.database, jaza)
    collection = await paybill(door.database, jaza, "QAB1CDE2FG")
    theirs = await door.key("disbursements:read", "collections:read", "partners:read", partner_id=other)
    ours = await door.key("disbursements:read", "collections:read", "partners:read", partner_id=jaza)
    texts = (*loan.values(), RECEIPT, PHONE, NAME, "91", "invoice/7", collection, "QAB1CDE2FG", "OTIENO", "Jaza", jaza)
    for text in texts:
        assert await ids(theirs, text) == [], text
        assert await ids(ours, text) != [], text
        assert await ids(door.admin, text, partner_id=other) == [], text
    refused = await theirs.post("/api/v1/search", json={"q": PHONE, "partner_id": jaza})
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


@contextmanager
def statements(door: Door) -> Iterator[list[str]]:
    """What the database was asked meanwhile, without what was asked for."""
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(door.database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(door.database.engine.sync_engine, "before_cursor_execute", note)


@pytest.mark.parametrize(("known", "unknown"), [(PHONE, "+254722222222"), (RECEIPT, "ABCDEFGH12"), (NAME, "Aa Bb Cc")])
async def test_that_another_has_it_asks_the_database_nothing_more(door: Door, known: str, unknown: str) -> None:
    """How long an answer takes must not tell whether another lender has such a customer."""
    jaza, other = await door.lender(), await door.lender("Other Sacco")
    await paid_loan(door.database, jaza)
    theirs = await door.key("disbursements:read", "collections:read", partner_id=other)
    await ids(theirs, "the first use of a key is written down")
    asked = []
    for text in (known, unknown):
        with statements(door) as seen:
            assert await ids(theirs, text) == []
        asked.append(seen)
    assert asked[0] == asked[1]
    terms = [one for one in asked[0] if "search_terms" in one]
    assert terms or known == RECEIPT
    assert all("partner_id = CAST" in one for one in terms)


async def test_a_key_finds_only_what_it_may_read(door: Door) -> None:
    partner_id = await door.lender()
    loan = await paid_loan(door.database, partner_id)
    collection = await paybill(door.database, partner_id, "QAB1CDE2FG", payer_phone=Msisdn(PHONE))
    loose = await paybill(door.database, partner_id, "QAB1CDE2FH", payer_phone=Msisdn(PHONE), claimed=False)
    assert set(await ids(await door.key("disbursements:read"), PHONE)) == {loan["id"], loose}
    assert await ids(await door.key("collections:read"), PHONE) == [collection]
    assert await ids(await door.key("wallets:read"), PHONE) == []
    assert await ids(await door.key("disbursements:read"), "Jaza") == []
    assert (await door.visitor().post("/api/v1/search", json={"q": PHONE})).status_code == 401


async def test_a_phone_is_shown_whole_to_those_who_may_and_each_time_is_written_down(door: Door) -> None:
    jaza, other = await door.lender(), await door.lender("Other Sacco")
    loan = await paid_loan(door.database, jaza)
    loose = await paybill(door.database, jaza, "QAB1CDE2FH", claimed=False)

    async def reveal(visitor: httpx.AsyncClient, row_id: str) -> httpx.Response:
        return await visitor.post("/api/v1/search/reveal", json={"id": row_id})

    may = await door.key("phones:read", "disbursements:read", partner_id=jaza)
    told = await reveal(may, loan["id"])
    assert told.json() == {"id": loan["id"], "phone": PHONE, "name": NAME}
    assert (await reveal(may, loose)).json()["phone"] == "+254711000222"
    assert [entry.subject for entry in await door.audit("phones.reveal")] == [loan["id"], loose]
    for visitor, status in (
        (await door.key("disbursements:read", partner_id=jaza), 403),
        (await door.key("phones:read", partner_id=jaza), 403),
        (await door.key("phones:read", "disbursements:read", partner_id=other), 404),
    ):
        assert (await reveal(visitor, loan["id"])).status_code == status
    assert (await reveal(may, new_id("dsb"))).status_code == 404
    assert len(await door.audit("phones.reveal")) == 2


# --------------------------------------------------------------------------------------------------------- hostile text


@pytest.mark.parametrize(
    "q",
    ["%", "_", "' OR 1=1 --", "'; DROP TABLE partners; --", "🙂🙂🙂", "\\", "(", "[]", "9" * 200, "a" * 200, "${x}", "*",
     "dsb_%%%%%%", "prt_", "loan-disbursement/", "/", "ﷺ" * 100, "a\u202eb", "٠٧١٢٣٤٥٦٧٨", "1e309", "-1", "NaN"],
)  # fmt: skip
async def test_a_strange_text_finds_nothing_and_breaks_nothing(door: Door, q: str) -> None:
    await paid_loan(door.database, await door.lender("Jaza Sacco"))
    assert await ids(door.admin, q) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"q": "a" * 201}, "q"), ({"q": ""}, "q"), ({"q": "   "}, "q"), ({"q": "a\x00b"}, "q"), ({"q": "a\nb"}, "q"),
        ({"q": "\ud800"}, "q"), ({"q": 7}, "q"), ({}, "q"), ({"q": "a", "partner_id": "%"}, "partner_id"),
        ({"q": "a", "limit": 1000}, "limit"),
    ],
)  # fmt: skip
async def test_what_is_no_text_is_refused_by_name(shared_door: Door, body: dict[str, Any], field: str) -> None:
    as_json = {"Content-Type": "application/json"}
    answer = await shared_door.admin.post("/api/v1/search", content=json.dumps(body), headers=as_json)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_what_is_searched_for_is_in_no_log(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await paid_loan(door.database, await door.lender())
    for text in (PHONE, "0712345678", NAME):
        await search(door.admin, text)
    assert caplog.text
    for secret in ("712345678", "Wanjik", "wanjik"):
        assert secret not in caplog.text
