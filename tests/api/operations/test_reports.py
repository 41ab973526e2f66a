"""Reports of local days: what they count, tied to the books, for whom, and in which form."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from starlette.exceptions import HTTPException

from api.http.accepting import wanted
from core.clock import local_date, utc_now
from core.ids import NOTIFICATION, new_id
from core.money import Money
from ledger import chart
from ledger.balances import balance
from ledger.posting import post
from ledger.transfers import Capture, Hold, Post
from models.tables.base import table_of
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.platform.partner import Partner
from models.tables.platform.traffic import Notification
from store.lending import loan_disbursement
from store.saga import cases, saga_rows
from tests.api.conftest import Door

REPORTS = "/api/v1/reports"
KINDS = ("daily", "partner", "financial", "sms")
ZONE = "Africa/Nairobi"


def today() -> str:
    return local_date(utc_now(), ZONE).isoformat()


async def write(door: Door, partner_id: str, number: int = 1, **values: Any) -> None:
    now = utc_now()
    facts: dict[str, Any] = {
        "event": "loan_paid", "channel": "sms", "recipient": "+254712000111", "text": "Habari", "state": "sent",
        "gateway": "africastalking", "tried": [], "attempts": 1, "next_attempt_at": now, "created_at": now,
        "sent_at": now, "delivery": "delivered", "segments": 1, "cost": "KES 0.8000", **values,
    }  # fmt: skip
    async with door.database.transaction() as session:
        for _ in range(number):
            session.add(Notification(id=new_id(NOTIFICATION), key=new_id("k"), partner_id=partner_id, **facts))


async def read(visitor: httpx.AsyncClient, kind: str, **params: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table."""
    answer = await visitor.get(f"{REPORTS}/{kind}", params={"date": today(), **params})
    assert answer.status_code == 200, answer.text
    return {table["name"]: table["rows"] for table in answer.json()["tables"]}


async def messages(visitor: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    return (await read(visitor, "sms", **params))["messages"]


async def disburse(door: Door, partner_id: str, loan_id: int, stage: str, **values: Any) -> str:
    """A disbursement that has come so far, without a workflow."""
    async with door.database.transaction() as session:
        claim = await loan_disbursement.claim(
            session, partner_id=partner_id, loan_id=loan_id, currency="KES", source="api", requested_by="test",
            again_after=frozenset(),
        )  # fmt: skip
        ended = stage in ("completed", "failed", "refused", "withdrawn")
        await saga_rows.change(session, claim.workflow_id, ended=ended, stage=stage, **values)
    return claim.workflow_id


async def fund(door: Door, partner_id: str, minor: int, key: str) -> None:
    wallet = chart.partner_wallet(partner_id, "KES")
    async with door.database.transaction() as session:
        await post(session, Post(key, chart.bank_account("1000200030", "KES"), wallet, Money(minor, "KES"), "top-up"))


async def charge(door: Door, partner_id: str, minor: int, key: str, *, capture: bool = True) -> None:
    hold = Hold(f"{key}:hold", chart.partner_wallet(partner_id, "KES"), chart.mpesa_fees("KES"), Money(minor, "KES"),
                "mpesa_b2c", workflow_id="loan-disbursement/x")  # fmt: skip
    async with door.database.transaction() as session:
        await post(session, hold, *([Capture(key, f"{key}:hold")] if capture else []))


KES = {"currency": "KES"}


# ------------------------------------------------------------------------------------------------------------- the tables


async def test_a_day_tells_what_was_asked_for_what_ended_and_why_not(door: Door) -> None:
    partner_id = await door.lender()
    paid = {"amount_minor": 1_000_00, "paid_minor": 1_000_00}
    for loan in (1, 2):
        await disburse(door, partner_id, loan, "completed", **paid)
    await disburse(door, partner_id, 3, "failed", amount_minor=500_00, reason_code="2040")
    await disburse(door, partner_id, 4, "paying", amount_minor=700_00)
    async with door.database.transaction() as session:
        await cases.open_case(session, key="one", kind="paid_twice", summary="x", evidence={}, partner_id=partner_id)
    found = await read(door.admin, "daily")
    row = {"kind": "disbursement"}
    assert found["asked"] == [
        row | {"status": "processing", "number": 1, "asked": KES | {"amount": "700.00"}, "moved": KES | {"amount": "0.00"}},
        row | {"status": "completed", "number": 2, "asked": KES | {"amount": "2000.00"},
               "moved": KES | {"amount": "2000.00"}},
        row | {"status": "failed", "number": 1, "asked": KES | {"amount": "500.00"}, "moved": KES | {"amount": "0.00"}},
    ]  # fmt: skip
    assert [(one["status"], one["number"]) for one in found["ended"]] == [("completed", 2), ("failed", 1)]
    assert found["reasons"] == [
        row | {"reason_code": "2040", "reason": "The receiver has no account that can take it.", "number": 1}
    ]
    assert [(one["stage"], one["number"]) for one in found["under_way"]] == [("paying", 1)]
    assert [(one["kind"], one["opened"], one["closed"], one["open_now"]) for one in found["cases"]] == [
        ("paid_twice", 1, 0, 1)
    ]


async def test_a_day_ends_at_midnight_where_the_partner_is(door: Door) -> None:
    partner_id = await door.lender()
    workflow_id = await disburse(door, partner_id, 1, "completed", amount_minor=100, paid_minor=100)

    async def put(moment: str) -> None:
        async with door.database.transaction() as session:
            rows = table_of(Disbursement)
            at = datetime.fromisoformat(moment)
            await session.exec(update(rows).where(rows.c.workflow_id == workflow_id).values(created_at=at, ended_at=at))

    async def on(day: str, **params: str) -> int:
        found = await read(door.admin, "daily", date=day, **params)
        assert len(found["asked"]) == len(found["ended"])
        return len(found["asked"])

    await put("2026-11-20T21:00:00+00:00")  # midnight in Nairobi
    assert [await on(day) for day in ("2026-11-20", "2026-11-21")] == [0, 1]
    await put("2026-11-21T20:59:59+00:00")
    assert [await on(day) for day in ("2026-11-21", "2026-11-22")] == [1, 0]
    async with door.database.transaction() as session:
        await session.exec(update(table_of(Partner)).values(timezone="Pacific/Auckland"))
    # It is the next morning there; reports of all partners stay with the installation's days.
    assert [await on(day, partner_id=partner_id) for day in ("2026-11-21", "2026-11-22")] == [0, 1]
    assert await on("2026-11-21") == 1


async def test_the_financial_report_is_the_ledger(door: Door) -> None:
    mine, theirs = await door.lender("Mine"), await door.lender("Theirs")
    await fund(door, mine, 10_000, "t1")
    await fund(door, theirs, 5_000, "t2")
    await charge(door, mine, 1_100, "c1")
    await charge(door, mine, 300, "c2")
    await charge(door, theirs, 700, "c3", capture=False)
    found = await read(door.admin, "financial")
    async with door.database.transaction() as session:
        fees = await balance(session, chart.mpesa_fees("KES"))
        wallets = [await balance(session, chart.partner_wallet(one, "KES")) for one in (mine, theirs)]
    closing = {row["account"]: row["closing"]["amount"] for row in found["balances"]}
    assert closing == {
        "Bank account …0030 (KES)": "150.00", "M-Pesa charges (KES)": fees.posted.amount,
        "Wallet of Mine (KES)": wallets[0].posted.amount, "Wallet of Theirs (KES)": wallets[1].posted.amount,
    }  # fmt: skip
    assert found["charges"] == [
        {"account": "Wallet of Mine (KES)", "charge": "M-Pesa charges (KES)", "number": 2,
         "amount": KES | {"amount": "14.00"}}
    ]  # fmt: skip
    for row in found["balances"]:
        opening, came, went, end = (Money.parse(row[name]["amount"], "KES", signed=True)
                                    for name in ("opening", "came", "went", "closing"))  # fmt: skip
        assert opening + came - went == end
    assert sum(Money.parse(row["amount"]["amount"], "KES").minor for row in found["charges"]) == fees.posted.minor


async def test_a_partner_report_has_each_partner_and_its_wallet(door: Door) -> None:
    mine, theirs = await door.lender("Mine"), await door.lender("Theirs")
    await disburse(door, mine, 1, "completed", amount_minor=100, paid_minor=100)
    await disburse(door, theirs, 1, "refused", amount_minor=100)
    await disburse(door, theirs, 2, "waiting_funds", amount_minor=100)
    await fund(door, mine, 10_000, "t1")
    await charge(door, mine, 700, "c1", capture=False)
    found = await read(door.admin, "partner")
    names = ("partner", "completed", "failed", "under_way")
    assert [tuple(row[name] for name in names) for row in found["payments"]] == [
        ("Mine", 1, 0, 0), ("Theirs", 0, 1, 1)
    ]  # fmt: skip
    (wallet,) = found["wallets"]
    assert [wallet[name]["amount"] for name in ("balance", "held", "available")] == ["100.00", "7.00", "93.00"]


# -------------------------------------------------------------------------------------------------------------- messages


async def test_messages_are_counted_with_segments_and_exact_costs(door: Door) -> None:
    partner_id = await door.lender()
    await write(door, partner_id, 3)
    await write(door, partner_id, segments=2, cost="KES 1.6000")
    await write(door, partner_id, cost="KES 0.8000 + KES 0.8000")
    await write(door, partner_id, cost="UGX 35.0000")
    await write(door, partner_id, cost="0")
    await write(door, partner_id, state="failed", gateway=None, delivery=None, cost=None, segments=1)
    await write(
        door, partner_id, event="low_balance", channel="email", gateway="smtp", delivery=None, cost=None, segments=None
    )
    base = {"event": "loan_paid", "channel": "sms"}
    assert await messages(door.admin) == [
        base | {"gateway": None, "state": "failed", "delivery": None, "number": 1, "segments": 1, "costs": ""},
        base
        | {"gateway": "africastalking", "state": "sent", "delivery": "delivered", "number": 7, "segments": 8,
           "costs": "KES 5.6000, UGX 35.0000"},
        {"event": "low_balance", "channel": "email", "gateway": "smtp", "state": "sent", "delivery": None, "number": 1,
         "segments": 0, "costs": ""},
    ]  # fmt: skip


async def test_waiting_too_long_for_a_report_is_silence(door: Door) -> None:
    partner_id = await door.lender()
    long_ago = utc_now() - timedelta(days=1, minutes=1)
    await write(door, partner_id, delivery="awaited")
    await write(door, partner_id, delivery="awaited", sent_at=long_ago)
    await write(door, partner_id, delivery="progress", sent_at=long_ago)
    await write(door, partner_id, delivery="delivered", sent_at=long_ago)
    await write(door, partner_id, delivery=None, gateway="damza", sent_at=long_ago)
    assert {(item["gateway"], item["delivery"]): item["number"] for item in await messages(door.admin)} == {
        ("africastalking", "awaited"): 1,
        ("africastalking", "delivered"): 1,
        ("africastalking", "silent"): 2,
        ("damza", None): 1,
    }


async def test_a_period_holds_both_its_days(door: Door) -> None:
    partner_id = await door.lender()
    for day in (1, 2, 3):
        await write(door, partner_id, created_at=datetime(2026, 11, day, 12, tzinfo=UTC))
    days = {"from_date": "2026-11-01", "to_date": "2026-11-02"}
    answer = await door.admin.get(f"{REPORTS}/sms", params=days)
    (table,) = answer.json()["tables"]
    assert [row["number"] for row in table["rows"]] == [2]
    assert (answer.json()["first_date"], answer.json()["last_date"]) == ("2026-11-01", "2026-11-02")


# ---------------------------------------------------------------------------------------------------- for whom, and how


async def test_a_partners_key_counts_its_own_alone(door: Door) -> None:
    mine, theirs = await door.lender("Mine"), await door.lender("Theirs")
    await write(door, mine, 2)
    await write(door, theirs, 3)
    for number, partner_id in enumerate((mine, theirs, theirs)):
        await disburse(door, partner_id, number + 1, "completed", amount_minor=100, paid_minor=100)
        await fund(door, partner_id, 1_000, f"t{number}")
    reader = await door.key("disbursements:read", "wallets:read", partner_id=mine)
    for kind in KINDS:
        text = (await reader.get(f"{REPORTS}/{kind}", params={"date": today()})).text
        assert "Theirs" not in text
        assert theirs not in text
        assert (await reader.get(f"{REPORTS}/{kind}", params={"partner_id": theirs})).status_code == 404
    assert [row["number"] for row in await messages(reader)] == [2]
    assert [row["number"] for row in await messages(reader, partner_id=mine)] == [2]
    assert [row["number"] for row in await messages(door.admin)] == [5]
    assert [row["number"] for row in await messages(door.admin, partner_id=theirs)] == [3]
    assert [row["number"] for row in (await read(reader, "daily"))["ended"]] == [1]
    assert {row["account"] for row in (await read(reader, "financial"))["balances"]} == {"Wallet of Mine (KES)"}


async def test_who_may_read_what(door: Door) -> None:
    mine = await door.lender("Mine")
    payments = await door.key("disbursements:read", partner_id=mine)
    wallets = await door.key("wallets:read", partner_id=mine)
    answers = {kind: await payments.get(f"{REPORTS}/{kind}") for kind in KINDS}
    assert {kind: answer.status_code for kind, answer in answers.items()} == {
        "daily": 200, "partner": 403, "financial": 403, "sms": 200
    }  # fmt: skip
    assert answers["financial"].json()["facts"] == {"scope": "wallets:read"}
    assert [(await wallets.get(f"{REPORTS}/{kind}")).status_code for kind in KINDS] == [403] * 4
    assert [(await door.visitor().get(f"{REPORTS}/{kind}")).status_code for kind in KINDS] == [401] * 4


async def test_yesterday_is_told_where_no_day_is_named(door: Door) -> None:
    answer = (await door.admin.get(f"{REPORTS}/daily")).json()
    yesterday = date.fromisoformat(today()) - timedelta(days=1)
    assert (answer["first_date"], answer["last_date"]) == (yesterday.isoformat(), yesterday.isoformat())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("asked", "accept", "media_type", "ending"),
    [
        ({}, "*/*", "application/json", ""),
        ({}, "text/csv", "text/csv; charset=utf-8", ".csv"),
        ({}, "text/html, application/pdf;q=0.9, */*;q=0.1", "application/pdf", ".pdf"),
        ({"format": "csv"}, "application/json", "text/csv; charset=utf-8", ".csv"),
        ({"format": "pdf"}, "text/csv", "application/pdf", ".pdf"),
    ],
)
async def test_a_report_comes_in_the_form_that_is_wanted(
    shared_door: Door, kind: str, asked: dict[str, str], accept: str, media_type: str, ending: str
) -> None:
    answer = await shared_door.admin.get(
        f"{REPORTS}/{kind}", params={"date": "2026-11-21", **asked}, headers={"Accept": accept}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == media_type
    if ending:
        name = answer.headers["content-disposition"].partition("filename=")[2].strip('"')
        assert name.startswith(f"kivuko-{kind}-")
        assert name.endswith(f"2026-11-21{ending}")
    assert answer.content.startswith(b"%PDF-") == (ending == ".pdf")


async def test_a_csv_file_holds_the_table_that_was_named(door: Door) -> None:
    partner_id = await door.lender()
    await disburse(door, partner_id, 1, "paying", amount_minor=100)
    asked = {"date": today(), "format": "csv"}
    first = (await door.admin.get(f"{REPORTS}/daily", params=asked)).text
    named = (await door.admin.get(f"{REPORTS}/daily", params={**asked, "table": "under_way"})).text
    assert list(csv.reader(io.StringIO(first)))[1] == ["disbursement", "processing", "1", "1.00", "KES", "0.00", "KES"]
    assert list(csv.reader(io.StringIO(named)))[1][:3] == ["disbursement", "paying", "1"]
    refused = await door.admin.get(f"{REPORTS}/daily", params={**asked, "table": "lions"})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_table")


async def test_a_form_that_there_is_not_is_not_acceptable(shared_door: Door) -> None:
    refused = await shared_door.admin.get(f"{REPORTS}/daily", headers={"Accept": "image/png"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")
    assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("accept", "sent"),
    [
        (None, "a/b"), ("", "a/b"), ("*/*", "a/b"), ("c/d", "c/d"), ("c/*", "c/d"),
        ("a/b;q=0.1, c/d", "c/d"), ("C/D ; Q=1", "c/d"),
        ("a/b;q=0, */*", "a/b"), ("a/b;q=x, c/d;q=0.9", "a/b"), ("c/d;q=9, a/b;q=0.9", "c/d"), ("x/y, */*;q=0.2", "a/b"),
    ],
)  # fmt: skip
def test_what_accept_likes_best_is_sent(accept: str | None, sent: str) -> None:
    assert wanted(accept, ["a/b", "c/d"]) == sent


@pytest.mark.parametrize("accept", ["x/y", ",,;;=", "a/b;q=0", "/", "a" * 100_000])
def test_what_nothing_fits_is_refused(accept: str) -> None:
    with pytest.raises(HTTPException):
        wanted(accept, ["a/b"])


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"from_date": "2026-11-02", "to_date": "2026-11-01"}, "from_date"),
        ({"from_date": "2024-11-01", "to_date": "2026-11-02"}, "from_date"),
        ({"to_date": "2026-11-02"}, "from_date"),
        ({"date": "2026-11-02", "to_date": "2026-11-02"}, "date"),
        ({"date": "soon"}, "date"),
        ({"date": "1999-12-31"}, "date"),
        ({"date": "99999-01-01"}, "date"),
        ({"format": "xls"}, "format"),
        ({"table": "Robert'); DROP"}, "table"),
        ({"partner_id": "prt_1"}, "partner_id"),
        ({"since": "2026-11-01T00:00:00Z"}, "since"),
    ],
)
async def test_a_wrong_question_is_refused_by_field(shared_door: Door, params: dict[str, str], field: str) -> None:
    answer = await shared_door.admin.get(f"{REPORTS}/sms", params=params)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
