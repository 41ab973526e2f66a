"""Registered addresses, the pulled list and reversals, over real HTTP."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.clock import utc_now
from core.errors import (
    Busy,
    InvalidRequest,
    KivukoError,
    NotAllowed,
    NotReached,
    Rejected,
    Throttled,
    Transient,
    Unknown,
)
from core.money import Money
from core.msisdn import Msisdn
from models.messages.saga.reports import Report
from providers.collecting import Pulled
from providers.daraja.wire import balances_beside, parse_c2b, parse_reversal_result
from simulators.books import COLLECTIONS
from simulators.faults import Fault, FaultScript
from tests.providers.daraja.bench import PHONE, SHORTCODE
from tests.providers.daraja.desk import TILL, Desk

NOMINATED = Msisdn("+254722000000")

# ------------------------------------------------------------------------------------------------------- registration


async def test_addresses_are_registered_once(desk: Desk) -> None:
    assert await desk.register() is True
    assert await desk.register() is False
    assert await desk.register(stk_party_b=TILL) is True, "a till has its own"
    await desk.control("DELETE", f"/c2b-urls/{SHORTCODE}")
    assert await desk.register("Cancelled") is True


async def test_the_sandbox_overwrites_addresses(desk: Desk) -> None:
    desk.behave(sandbox=True)
    assert [await desk.register(), await desk.register()] == [True, True]


@pytest.mark.parametrize(
    ("confirmation", "validation", "field"),
    [
        ("https://pay.example/mpesa", "https://pay.example/b", "confirmation_url"),
        ("https://pay.example/a", "https://pay.example/Query/b", "validation_url"),
        ("https://pay.example/a", "pay.example/b", "validation_url"),
    ],
)
async def test_an_address_that_daraja_would_refuse_is_not_sent(
    desk: Desk, confirmation: str, validation: str, field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await desk.client().register_c2b(confirmation, validation, "Completed")
    assert caught.value.extra["field"] == field
    assert not desk.bench.requests


async def test_a_response_type_is_one_of_two(desk: Desk) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await desk.register("completed")
    assert caught.value.extra["field"] == "response_type"


READ_TROUBLE: list[tuple[str, dict[str, Any], type[KivukoError]]] = [
    ("drop_before", {}, Transient), ("system_error", {}, Transient), ("spike_arrest_json", {}, Throttled),
    ("invalid_request", {}, Rejected), ("no_product", {}, NotAllowed),
]  # fmt: skip


@pytest.mark.parametrize(("action", "options", "error"), [*READ_TROUBLE, ("soap_fault", {}, Transient)])
async def test_trouble_with_a_registration_is_rejected_or_transient(
    desk: Desk, action: str, options: dict[str, Any], error: type[KivukoError]
) -> None:
    desk.bench.fault("daraja.c2b.register", action, **options)
    with pytest.raises(error):
        await desk.register()
    assert await desk.register() is True


async def test_an_internal_error_is_not_read_as_registered_already(desk: Desk) -> None:
    text = "Internal Server Error"
    desk.bench.fault("daraja.c2b.register", "invalid_request", code="500.003.1001", message=text, status=500)
    with pytest.raises(Transient):
        await desk.register()


# ---------------------------------------------------------------------------------------------------------- the pull


async def ready(desk: Desk, payments: int = 0) -> list[str]:
    """Registered for the pull, with so many payments; their receipts."""
    assert await desk.client().pull_register(NOMINATED, f"{desk.bench.url}/cb/pull/9f02") is True
    return [(await desk.pay(str(100 + n), f"INV-{n}"))["receipt"] for n in range(payments)]


async def pull(desk: Desk, **changes: Any) -> Any:
    now = utc_now()
    return await desk.client(**changes).pull_payments(now - timedelta(hours=1), now + timedelta(minutes=1))


async def test_a_short_code_is_registered_for_the_pull_once(desk: Desk) -> None:
    await ready(desk)
    assert await desk.client().pull_register(NOMINATED, f"{desk.bench.url}/cb/pull/9f02") is False


@pytest.mark.parametrize(("page", "payments"), [(100, 3), (2, 5), (2, 4), (1, 0)])
async def test_every_payment_is_pulled_once_however_many_pages(desk: Desk, page: int, payments: int) -> None:
    desk.behave(pull_page=page)
    receipts = await ready(desk, payments)
    assert [seen.external_id for seen in (await pull(desk)).payments] == receipts


ODD_ROWS: list[dict[str, Any]] = [
    {"transactionId": "UKL9SETTLE", "trxDate": "2026-11-21 09:14:55", "amount": "90000.00",
     "transactiontype": "Organization Settlement Account Transfer"},
    {"transactionId": "UKL9FEE123", "amount": "5.00", "trxDate": "2026-11-21 09:14:55",
     "transactiontype": "Pay Bill Charge"},
    {"transactionId": "UKL9ODD123", "amount": "5.00", "trxDate": "2026-11-21 09:14:55", "transactiontype": "Airtime"},
    {"transactionId": "UKL9BACK12", "amount": "5.00", "trxDate": "2026-11-21 09:14:55",
     "transactiontype": "c2b-pay-bill-reversal"},
    {"transactionId": "x" * 5_000, "amount": "5.00", "trxDate": "2026-11-21 09:14:55"},
    {"transactionId": "UKL9BAD123", "amount": "5,0.00", "trxDate": "2026-11-21 09:14:55"},
    {"transactionId": "UKL9BAD124", "amount": "500", "trxDate": "yesterday"},
]  # fmt: skip


@pytest.mark.parametrize("page", [100, 3, 1])
async def test_a_row_that_is_no_payment_hides_none_of_the_others(desk: Desk, page: int) -> None:
    """The odd ones stand among the payments, however the pages are cut."""
    desk.behave(pull_page=page, pull_odd_rows=ODD_ROWS)
    receipts = await ready(desk, 3)
    pulled = await pull(desk)
    assert [seen.external_id for seen in pulled.payments] == receipts
    reasons = [row.reason for row in pulled.odd]
    assert reasons == ["not_a_payment"] * 2 + ["unknown_type"] * 2 + ["unreadable"] * 3
    assert len({row.row_id for row in pulled.odd}) == len(ODD_ROWS)
    assert all(len(row.detail) < 200 for row in pulled.odd)
    assert [row.row_id for row in (await pull(desk)).odd] == [row.row_id for row in pulled.odd]


async def test_a_pulled_payment_has_its_facts(desk: Desk) -> None:
    (receipt,) = await ready(desk, 1)
    (seen,) = (await pull(desk)).payments
    (row,) = desk.collected()
    assert (seen.external_id, seen.account, seen.amount) == (receipt, SHORTCODE, Money(10_000, "KES"))
    assert (seen.reference, seen.payer_phone) == ("INV-0", PHONE)
    assert abs((seen.happened_at - utc_now()).total_seconds()) < 30
    assert row["receipt"] == receipt
    logged = str([(exchange.request, exchange.response) for exchange in desk.bench.exchanges])
    for private in (PHONE.digits, PHONE.digits[-9:], NOMINATED.digits, seen.payer_name):
        assert private not in logged


async def test_what_is_older_than_48_hours_is_not_pulled(desk: Desk) -> None:
    await ready(desk, 2)
    old, new = desk.collected()
    desk.bench.world.documents.put(
        COLLECTIONS, old["receipt"], {**old, "at": (utc_now() - timedelta(hours=49)).isoformat()}
    )
    now = utc_now()
    client = desk.client()
    older = await client.pull_payments(now - timedelta(hours=50), now - timedelta(hours=48, minutes=30))
    assert older == Pulled([], [])
    found = (await client.pull_payments(now - timedelta(hours=47), now + timedelta(minutes=1))).payments
    assert [seen.external_id for seen in found] == [new["receipt"]]


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        (timedelta(hours=-49), timedelta(0), "start"), (timedelta(0), timedelta(0), "end"),
        (timedelta(0), timedelta(hours=-1), "end"),
    ],
)  # fmt: skip
async def test_a_bad_window_is_refused_here(desk: Desk, start: timedelta, end: timedelta, field: str) -> None:
    now = utc_now()
    with pytest.raises(InvalidRequest) as caught:
        await desk.client().pull_payments(now + start, now + end)
    assert caught.value.extra["field"] == field
    with pytest.raises(InvalidRequest):
        await desk.client().pull_payments(now.replace(tzinfo=None), now)
    assert not desk.bench.requests


async def test_a_pull_by_get_is_answered_alike(desk: Desk) -> None:
    (receipt,) = await ready(desk, 1)
    client = desk.client()
    await client.check()
    now = utc_now()
    body = {"ShortCode": SHORTCODE, "OffSetValue": "0"} | {
        name: f"{moment + timedelta(hours=3):%Y-%m-%d %H:%M:%S}"
        for name, moment in (("StartDate", now - timedelta(hours=1)), ("EndDate", now + timedelta(minutes=1)))
    }
    token = next(iter(desk.bench.world.documents.all("daraja.tokens")[0]["tokens"]))
    async with httpx.AsyncClient(verify=False, base_url=f"{desk.bench.url}/daraja") as plain:
        bearer = {"authorization": f"Bearer {token}"}
        answer = await plain.request("GET", "/pulltransactions/v1/query", json=body, headers=bearer)
    assert [row["transactionId"] for rows in answer.json()["Response"] for row in rows] == [receipt]


@pytest.mark.parametrize(("action", "options", "error"), [*READ_TROUBLE, ("down", {}, Transient)])
async def test_trouble_with_a_pull_is_rejected_or_transient_and_never_a_part(
    desk: Desk, action: str, options: dict[str, Any], error: type[KivukoError]
) -> None:
    desk.behave(pull_page=2)
    receipts = await ready(desk, 4)
    fault = Fault(operation="daraja.pull.query", action=action, options=options, skip=1)
    desk.bench.world.faults.add(FaultScript(faults=[fault]))
    with pytest.raises(error):
        await pull(desk)
    assert [seen.external_id for seen in (await pull(desk)).payments] == receipts


async def test_a_short_code_that_is_not_registered_cannot_pull(desk: Desk) -> None:
    with pytest.raises(Rejected):
        await pull(desk)


# --------------------------------------------------------------------------------------------------------- reversals


async def reversed_as(desk: Desk, number: int = 1) -> Report:
    return parse_reversal_result((await desk.arrived("back", number))[number - 1].body)


async def test_a_payment_goes_back_once(desk: Desk) -> None:
    receipt = (await desk.pay())["receipt"]
    client = desk.client()
    accepted = await client.reverse(desk.reversal(receipt))
    done = await reversed_as(desk)
    assert (done.state, done.code, done.reference) == ("paid", "0", accepted.provider_reference)
    assert (done.amount, done.party_digits) == (Money(150_000, "KES"), PHONE.digits)
    assert done.receipt not in (None, receipt)
    assert balances_beside(desk.at("back")[0].body) == {"Utility Account": Money.parse("500000.00", "KES")}
    await client.reverse(desk.reversal(receipt))
    again = await reversed_as(desk, 2)
    assert (again.state, again.code, again.receipt) == ("paid", "R000001", None)
    assert [row["reversed"] for row in desk.collected()] == [True]
    assert desk.utility() == "500000.00"


async def test_a_prompts_payment_goes_back_too_and_a_payout_does_not(desk: Desk) -> None:
    client = desk.client()
    await client.prompt(desk.order())
    await client.send(desk.bench.order())
    (report,) = await desk.reports()
    await desk.bench.until(lambda: len(desk.bench.paid()) == 1)
    assert report.receipt is not None
    await client.reverse(desk.reversal(report.receipt))
    assert (await reversed_as(desk)).state == "paid"
    await client.reverse(desk.reversal(desk.bench.paid()[0]["receipt"], "1250"))
    refused = await reversed_as(desk, 2)
    assert (refused.state, refused.code) == ("failed", "R000002")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"receipt": "ukl9"}, "receipt"), ({"amount": "0.50"}, "amount"),
        ({"result_url": "https://pay.example/sql"}, "result_url"),
    ],
)  # fmt: skip
async def test_what_a_reversal_cannot_carry_is_refused_here(desk: Desk, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await desk.client().reverse(desk.reversal(**{"receipt": "UKL9M2T4VC", **changes}))
    assert caught.value.extra["field"] == field
    assert not desk.bench.requests


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("html_after_execution", Unknown), ("empty_after_execution", Unknown), ("spike_arrest_json", Unknown),
        ("system_error", Unknown), ("spike_arrest", Throttled), ("not_entitled", Busy),
        ("invalid_request", InvalidRequest),
    ],
)  # fmt: skip
async def test_a_reversal_without_an_acknowledgement_is_sorted_like_a_payout(
    desk: Desk, action: str, error: type[KivukoError]
) -> None:
    receipt = (await desk.pay())["receipt"]
    desk.bench.fault("daraja.reversal.send", action)
    with pytest.raises(error):
        await desk.client().reverse(desk.reversal(receipt))
    if action.endswith("after_execution"):
        assert (await reversed_as(desk)).state == "paid"


async def test_a_reversal_that_cannot_be_sent_is_transient(desk: Desk) -> None:
    with pytest.raises(NotReached):
        await desk.client(base_url="http://127.0.0.1:9").reverse(desk.reversal("UKL9M2T4VC"))


async def test_one_payment_has_one_id_on_every_channel(desk: Desk) -> None:
    """SCARS: an STK payment and its C2B confirmation are booked as two payments."""
    await desk.register()
    await ready(desk)
    await desk.client().prompt(desk.order())
    (report,) = await desk.reports()
    confirmed = parse_c2b((await desk.arrived("confirm"))[0].body)
    (pulled,) = (await pull(desk)).payments
    assert report.receipt == confirmed.external_id == pulled.external_id == desk.collected()[0]["receipt"]
    assert confirmed.reference == pulled.reference == "INV2231"
    assert report.amount == confirmed.amount == pulled.amount
