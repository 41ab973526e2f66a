"""All that needs attention is in one list, each problem once, with what a person must know, for those who may see it."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, update

from api.operations import attention_words
from core.clock import utc_now
from core.ids import INBOX, NOTIFICATION, new_id
from ledger import chart
from models.problems import MEANS
from models.tables.base import table_of
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.platform.connection import Connection
from models.tables.platform.pulse import Pulse
from models.tables.platform.traffic import InboxItem, Notification
from models.tables.saga.case import Case
from models.tables.saga.payout_attempt import PayoutAttempt
from store import pulse
from store.saga import attention_sources, cases, funds_waits, saga_rows
from tests.api.conftest import Door
from tests.support.payments import paid_loan, paybill

LONG_AGO = timedelta(minutes=30)


async def problems(visitor: httpx.AsyncClient, **given: Any) -> list[dict[str, Any]]:
    answer = await visitor.get("/api/v1/attention", params=given)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def change(door: Door, model: Any, **values: Any) -> None:
    async with door.database.transaction() as session:
        await session.exec(update(table_of(model)).values(**values))


async def put(door: Door, model: Any, **row: Any) -> None:
    async with door.database.transaction() as session:
        await (await session.connection()).execute(insert(table_of(model)).values(**row))


def kinds_of(rows: Iterable[dict[str, Any]]) -> list[str]:
    return [row["problem"] for row in rows]


async def silent_loan(door: Door, partner_id: str, loan_id: int = 91, **more: Any) -> dict[str, str]:
    loan = await paid_loan(door.database, partner_id, loan_id, receipt=None, stage="paying", ended=False, **more)
    await change(door, PayoutAttempt, updated_at=utc_now() - LONG_AGO, next_query_at=utc_now() + timedelta(minutes=4))
    return loan


# ----------------------------------------------------------------------------------------------------- what is a problem


async def test_where_all_is_well_nothing_is_told(door: Door) -> None:
    partner_id = await door.lender()
    await paid_loan(door.database, partner_id)
    await paybill(door.database, partner_id, "QAB1CDE2FG")
    async with door.database.transaction() as session:
        await pulse.ran(session, pulse.SWEEP)
    assert await problems(door.admin) == []


async def test_silence_is_a_problem_and_says_where_the_money_may_be_and_when_it_is_asked(door: Door) -> None:
    partner_id = await door.lender()
    loan = await paid_loan(door.database, partner_id, receipt=None, stage="paying", ended=False)
    assert await problems(door.admin) == []  # it is on its way
    await change(door, PayoutAttempt, updated_at=utc_now() - LONG_AGO, next_query_at=utc_now() + timedelta(minutes=4))
    (row,) = await problems(door.admin)
    assert (row["problem"], row["id"], row["money"]) == ("unknown_outcome", loan["attempt"], "unknown")
    assert (row["phone"], row["name"], row["amount"]["amount"]) == ("+2547•••••678", "Jane Wanjikũ Njeri", "12500.00")
    assert (row["lender"], row["saga"]["id"]) == ("Jaza Sacco", loan["id"])
    assert row["href"] == f"/api/v1/disbursements/{loan['id']}"
    assert row["next_step"] == "The provider is asked again."
    assert row["next_at"] is not None
    assert row["age_seconds"] >= LONG_AGO.total_seconds()


async def test_what_a_case_says_is_said_once_with_its_owner_and_the_sagas_next_step(door: Door) -> None:
    partner_id = await door.lender()
    loan = await silent_loan(door, partner_id)
    async with door.database.transaction() as session:
        await cases.open_case(
            session, key="k", kind="payout_unknown", summary="Nobody knows.", evidence={"code": "no_answer"},
            actions=["paid"], partner_id=partner_id, workflow_id=loan["workflow"],
        )  # fmt: skip
    (row,) = await problems(door.admin)
    assert (row["problem"], row["case_kind"], row["money"]) == ("unknown_outcome", "payout_unknown", "unknown")
    assert row["why"] == "The other system has not said what became of it."
    assert row["next_at"] is not None
    assert "paid" in row["actions"]
    assert row["href"] == f"/api/v1/cases/{row['case_id']}"
    taken = await door.admin.post(f"/api/v1/cases/{row['case_id']}/take")
    (row,) = await problems(door.admin, owner="me")
    assert row["owner"] == taken.json()["owner"]
    assert await problems(door.admin, owner="nobody") == []


async def test_cases_tell_themselves_apart(door: Door) -> None:
    partner_id = await door.lender()
    await paid_loan(door.database, partner_id, 1, phone="+254700000001", receipt="AAAAAAAAAA")
    other = await paid_loan(door.database, partner_id, 2, phone="+254700000002", receipt="BBBBBBBBBB")
    async with door.database.transaction() as session:
        for number, loan in enumerate((None, other)):
            await cases.open_case(
                session, key=str(number), kind="paid_twice", summary="Twice.", partner_id=partner_id,
                evidence={"amount": "KES 12,500.00", "receipt": "CCCCCCCCCC", "phone": "+254711000222"},
                workflow_id=loan["workflow"] if loan else None,
            )  # fmt: skip
    first, second = await problems(door.admin)
    told = ("amount", "phone", "receipt", "money")
    assert [first[name] for name in told] == [
        {"amount": "12500.00", "currency": "KES"}, "254•••••222", "CCCCCCCCCC", None,
    ]  # fmt: skip
    assert [second[name] for name in told] == [
        {"amount": "12500.00", "currency": "KES"}, "+2547•••••002", "BBBBBBBBBB", "with_client",
    ]  # fmt: skip
    assert first["next_step"] == "Nothing waits for it; look, and close it."


async def test_a_posting_that_fails_says_why_how_often_and_when_next(door: Door) -> None:
    partner_id = await door.lender()
    loan = await paid_loan(door.database, partner_id, stage="posting", ended=False)
    again = utc_now() + timedelta(minutes=1)
    for _ in range(12):
        async with door.database.transaction() as session:
            await saga_rows.change(session, loan["workflow"], stage="posting")  # as each try begins
            await saga_rows.tried(session, loan["workflow"], code="loan_locked", reason="locked", again_at=again)
    (row,) = await problems(door.admin)
    assert (row["problem"], row["money"], row["tries"]) == ("posting", "with_client", 12)
    assert row["why"] == "Fineract: Fineract was still working on the account."
    assert row["next_at"] == again.isoformat().replace("+00:00", "Z")
    async with door.database.transaction() as session:
        await saga_rows.change(session, loan["workflow"], stage="settling")
    assert await problems(door.admin) == []


async def test_what_waits_for_float_is_one_row_and_says_what_is_missing(door: Door) -> None:
    partner_id = await door.lender()
    loan = await paid_loan(door.database, partner_id, stage="waiting_funds", ended=False)
    await change(door, PayoutAttempt, state="failed")
    async with door.database.transaction() as session:
        await funds_waits.join(
            session, workflow_id=loan["workflow"], partner_id=partner_id, needed_minor=4500,
            account_id=chart.partner_wallet(partner_id, "KES").id, asked_at=utc_now() - LONG_AGO,
        )  # fmt: skip
        await cases.open_case(
            session, key="k", kind="waiting_funds", summary="Too little.", evidence={}, actions=["retry"],
            partner_id=partner_id, workflow_id=loan["workflow"],
        )  # fmt: skip
    (row,) = await problems(door.admin)
    assert (row["problem"], row["money"], row["case_kind"]) == ("waiting_funds", "with_us", None)
    assert row["next_step"] == "It goes on by itself, in its turn, once the wallet has KES 45.00 free."
    assert row["why"] == "The balance of your wallet is not enough."
    assert row["case_id"] is not None


async def test_what_was_never_sent_or_never_begun_is_told(door: Door) -> None:
    partner_id = await door.lender()
    loan = await silent_loan(door, partner_id)
    await change(door, PayoutAttempt, state="not_sent", code="not_reached", detail="no route")
    await change(door, Disbursement, next_try_at=utc_now() + timedelta(minutes=2))
    (row,) = await problems(door.admin)
    assert (row["problem"], row["money"]) == ("not_sent", "with_us")
    assert row["why"] == "M-Pesa: The other system could not be reached."
    assert row["next_at"] is not None
    await change(door, PayoutAttempt, state="failed")
    await change(door, Disbursement, stage="requested", created_at=utc_now() - LONG_AGO)
    (row,) = await problems(door.admin)
    assert (row["problem"], row["id"]) == ("not_started", loan["id"])


async def test_connections_messages_and_schedules_that_fail_are_told(door: Door) -> None:
    partner_id = await door.lender()
    await change(door, Connection, status="ok", checked_at=utc_now())
    now = utc_now()
    await put(
        door, Notification, id=new_id(NOTIFICATION), key="m", event="loan_paid", channel="sms", recipient="+254700000001",
        text="x", state="failed", tried=[], attempts=3, next_attempt_at=now, created_at=now - timedelta(minutes=9),
        last_error="no such number", partner_id=partner_id,
    )  # fmt: skip
    await put(
        door, InboxItem, id=new_id(INBOX), provider="daraja", kind="result", external_id="e", reference="r", body={},
        report={}, received_at=now - timedelta(minutes=8), copies=1, attempts=4, partner_id=partner_id,
        next_attempt_at=now + timedelta(minutes=1), outcome="waiting",
    )  # fmt: skip
    await put(door, Pulse, name="sweep", every_seconds=30, ran_at=now - timedelta(minutes=7))
    await put(
        door, Pulse, name=f"loan-watch/{partner_id}", partner_id=partner_id, every_seconds=300,
        ran_at=now - timedelta(minutes=14),
    )  # fmt: skip
    async with door.database.transaction() as session:
        await session.exec(
            update(table_of(Connection))
            .where(table_of(Connection).c.provider == "daraja")
            .values(status="blocked", check_detail="Bad credentials", checked_at=now - timedelta(minutes=6))
        )
    rows = await problems(door.admin)
    assert kinds_of(rows) == ["message", "delivery", "schedule", "connection"]
    message, delivery, schedule, connection = rows
    assert (message["says"], message["tries"]) == ("no such number", 3)
    assert delivery["next_at"] is not None
    assert (schedule["id"], schedule["lender"]) == ("sweep", None)
    assert (connection["why"], connection["code"]) == ("Bad credentials", "blocked")
    await change(door, Pulse, ran_at=now - timedelta(minutes=17))
    assert {row["id"] for row in await problems(door.admin, problem="schedule")} == {
        "sweep", f"loan-watch/{partner_id}",
    }  # fmt: skip


async def test_only_requests_that_i_could_answer_are_mine_to_see(door: Door) -> None:
    partner_id = await door.lender()
    other = await door.key("partners:read", "partners:write")
    made = await door.admin.post(
        f"/api/v1/partners/{partner_id}/contacts",
        json={"name": "Grace", "phone": "0711000222", "role": "authorised", "evidence": "Her appointment."},
    )
    assert made.status_code in (201, 202), made.text
    (row,) = await problems(other)
    assert (row["problem"], row["says"]) == ("approval", "Her appointment.")
    assert row["next_at"] is not None
    assert await problems(door.admin) == []
    assert await problems(await door.key("partners:read")) == []


# ---------------------------------------------------------------------------------------------------- lists and filters


async def test_pages_hold_each_problem_once_the_oldest_first(door: Door) -> None:
    partner_id = await door.lender()
    now = utc_now()
    for number in range(7):
        await put(
            door, Case, id=new_id("cas"), key=str(number), kind="paid_twice", partner_id=partner_id, summary="s", evidence={},
            actions=[], state="open", opened_at=now - timedelta(minutes=number // 2),
        )  # fmt: skip
    await put(door, Pulse, name="sweep", every_seconds=30, ran_at=now - timedelta(hours=1))
    await put(door, Pulse, name=f"loan-watch/{partner_id}", every_seconds=30, ran_at=now - timedelta(hours=2))
    whole = await problems(door.admin)
    seen: list[dict[str, Any]] = []
    cursor = None
    while True:
        answer = await door.admin.get("/api/v1/attention", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        seen += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
    assert [row["id"] for row in seen] == [row["id"] for row in whole]
    assert len({row["id"] for row in seen}) == 9
    assert [row["since"] for row in seen] == sorted(row["since"] for row in seen)


async def test_filters_choose(door: Door) -> None:
    jaza, other = await door.lender(), await door.lender("Other Sacco")
    await silent_loan(door, jaza)
    async with door.database.transaction() as session:
        await cases.open_case(session, key="k", kind="paid_twice", summary="s", evidence={}, partner_id=other)
    assert kinds_of(await problems(door.admin)) == ["unknown_outcome", "decision"]
    assert kinds_of(await problems(door.admin, problem="decision")) == ["decision"]
    assert kinds_of(await problems(door.admin, problem=["decision", "unknown_outcome"])) == [
        "unknown_outcome",
        "decision",
    ]
    assert kinds_of(await problems(door.admin, minutes=10)) == ["unknown_outcome"]
    assert kinds_of(await problems(door.admin, partner_id=other)) == ["decision"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cursor", "x"), ("cursor", "1." + "a" * 101), ("cursor", "1.%"), ("problem", "everything"), ("owner", "you"),
        ("minutes", "-1"), ("minutes", "1e9"), ("limit", "201"), ("partner_id", "%"), ("phone", "0712345678"),
    ],
)  # fmt: skip
async def test_a_parameter_that_means_nothing_is_refused_by_name(shared_door: Door, name: str, value: str) -> None:
    answer = await shared_door.admin.get("/api/v1/attention", params={name: value})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"].split(".")[0] == name


async def test_a_place_beyond_all_times_is_the_end_or_the_beginning(door: Door) -> None:
    async with door.database.transaction() as session:
        await cases.open_case(session, key="k", kind="paid_twice", summary="s", evidence={})
    assert await problems(door.admin, cursor="9" * 17 + ".a") == []
    assert len(await problems(door.admin, cursor="0.a")) == 1


# --------------------------------------------------------------------------------------------------------- who may see


async def test_a_lender_sees_its_own_alone_and_each_key_what_it_may_read(door: Door) -> None:
    jaza, other = await door.lender(), await door.lender("Other Sacco")
    await silent_loan(door, jaza)
    await change(door, Connection, status="blocked")
    now = utc_now()
    await put(door, Pulse, name="sweep", every_seconds=30, ran_at=now - timedelta(hours=1))
    await put(
        door, Pulse, name=f"loan-watch/{jaza}", partner_id=jaza, every_seconds=30, ran_at=now - timedelta(hours=1)
    )
    async with door.database.transaction() as session:
        await cases.open_case(session, key="k", kind="paid_twice", summary="s", evidence={}, partner_id=jaza)
        await cases.open_case(session, key="h", kind="books_do_not_balance", summary="s", evidence={})
    everything = ("disbursements:read", "collections:read", "top-ups:read", "float-purchases:read", "partners:read")
    ours = await problems(await door.key(*everything, partner_id=jaza))
    assert {row["partner_id"] for row in ours} == {jaza}
    assert sorted(kinds_of(ours)) == ["connection", "connection", "decision", "schedule", "unknown_outcome"]
    theirs = await door.key(*everything, partner_id=other)
    assert {row["partner_id"] for row in await problems(theirs)} == {other}
    assert (await theirs.get("/api/v1/attention", params={"partner_id": jaza})).status_code == 404
    assert kinds_of(await problems(await door.key("partners:read"))) == ["connection"] * 4
    assert await problems(await door.key("wallets:read")) == []
    assert await problems(await door.key("collections:read")) == []
    assert len(await problems(door.admin)) == 9
    assert (await door.visitor().get("/api/v1/attention")).status_code == 401


def test_every_problem_is_asked_for_and_has_its_words() -> None:
    assert set(attention_words._NEXT) == set(MEANS)
    assert {name for name, _ in attention_sources._SOURCES} - {None} | {"decision"} == set(MEANS)
