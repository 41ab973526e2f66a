"""Customers who pay by the phone's menu: validation, the books, confirmation, and what of it goes wrong."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from core.crypto import sha256_hex
from core.money import Money
from core.msisdn import Msisdn
from providers.collecting import PaymentSeen
from providers.daraja.wire import C2B_CONFIRMED, C2bRefusal, c2b_accept, c2b_reject, external_id, parse_c2b
from simulators.books import books_routes
from tests.providers.daraja.bench import CONSUMER_SECRET, PHONE, SHORTCODE, Reply
from tests.providers.daraja.desk import TILL, Desk


async def seen(desk: Desk, kind: str = "confirm", count: int = 1) -> list[PaymentSeen]:
    return [parse_c2b(callback.body) for callback in await desk.arrived(kind, count)]


async def post(desk: Desk, path: str, body: Any) -> httpx.Response:
    async with httpx.AsyncClient(verify=False, base_url=f"{desk.bench.url}/daraja") as plain:
        auth = httpx.BasicAuth("consumer-key-1", CONSUMER_SECRET)
        token = await plain.get("/oauth/v1/generate?grant_type=client_credentials", auth=auth)
        return await plain.post(path, json=body, headers={"authorization": f"Bearer {token.json()['access_token']}"})


async def test_a_payment_is_validated_booked_and_confirmed(desk: Desk) -> None:
    await desk.register()
    desk.bench.replies |= {"check": Reply(c2b_accept("kvk-in-88213")), "confirm": Reply(C2B_CONFIRMED)}
    told = await desk.pay()
    (confirmed,) = await seen(desk)
    (asked,) = await seen(desk, "check")
    (row,) = desk.collected()
    assert told == {"accepted": True, "decided_by": "validation", "code": "0", "receipt": row["receipt"]}
    assert asked == confirmed
    assert (confirmed.external_id, confirmed.account) == (row["receipt"], SHORTCODE)
    assert (confirmed.amount, confirmed.reference) == (Money.parse("1500", "KES"), "INV-2231")
    assert {**row, "at": ""} == {
        "receipt": told["receipt"], "amount": "1500.00", "currency": "KES", "msisdn": PHONE.digits,
        "shortcode": SHORTCODE, "reference": "INV-2231", "channel": "paybill", "at": "", "reversed": False,
    }  # fmt: skip
    assert desk.at("check")[0].body["OrgAccountBalance"] == ""
    assert desk.at("confirm")[0].body["OrgAccountBalance"] == desk.utility() == "501500.00"
    assert desk.at("confirm")[0].body["ThirdPartyTransID"] == "kvk-in-88213"


@pytest.mark.parametrize("code", list(C2bRefusal))
async def test_a_refused_payment_takes_nothing(desk: Desk, code: C2bRefusal) -> None:
    await desk.register()
    desk.bench.replies["check"] = Reply(c2b_reject(code))
    told = await desk.pay()
    assert told == {"accepted": False, "decided_by": "validation", "code": code.value, "receipt": None}
    assert (desk.collected(), desk.at("confirm"), desk.utility()) == ([], [], "500000.00")


@pytest.mark.parametrize(
    "reply", [Reply(c2b_accept(), seconds=1), Reply({}, status=500), Reply([]), Reply({"ResultDesc": "Accepted"})]
)
@pytest.mark.parametrize("response_type", ["Completed", "Cancelled"])
async def test_without_an_answer_in_time_the_registered_default_applies(
    desk: Desk, reply: Reply, response_type: str
) -> None:
    desk.behave(c2b_validation_seconds=0.15)
    await desk.register(response_type)
    desk.bench.replies["check"] = reply
    told = await desk.pay()
    assert told["decided_by"] == "response_type"
    assert told["accepted"] is (response_type == "Completed")
    assert len(desk.collected()) == (1 if told["accepted"] else 0)


async def test_validation_is_left_out_when_it_is_off_or_skipped(desk: Desk) -> None:
    await desk.register("Cancelled")
    desk.bench.fault("daraja.c2b.validation", "skip")
    first = await desk.pay()
    desk.behave(c2b_validation=False)
    second = await desk.pay()
    assert [told["decided_by"] for told in (first, second)] == ["nobody", "nobody"]
    assert len(await seen(desk, count=2)) == 2
    assert desk.at("check") == []


async def test_an_unregistered_short_code_takes_money_in_silence(desk: Desk) -> None:
    told = await desk.pay()
    assert (told["accepted"], told["decided_by"]) == (True, "nobody")
    assert [row["receipt"] for row in desk.collected()] == [told["receipt"]]
    assert desk.bench.callbacks == []


async def test_a_till_takes_money_as_buy_goods(desk: Desk) -> None:
    await desk.register(stk_party_b=TILL)
    await desk.pay(shortcode=TILL, reference="")
    (confirmed,) = await seen(desk)
    assert (confirmed.account, confirmed.reference) == (TILL, "")
    assert desk.at("confirm")[0].body["TransactionType"] == "Buy Goods"


async def test_v2_masks_the_payer_and_hides_most_of_the_name(desk: Desk) -> None:
    await desk.register()
    await desk.pay(names="WANJIRU ACHIENG OTIENO")
    (confirmed,) = await seen(desk)
    assert desk.at("confirm")[0].body["MSISDN"] == "2547 ***** 678"
    assert (confirmed.payer_phone, confirmed.payer_name) == (None, "WANJIRU")


@pytest.mark.parametrize(("style", "phone"), [("hashed", None), ("clear", PHONE)])
async def test_the_payers_number_can_be_hashed_or_clear(desk: Desk, style: str, phone: Msisdn | None) -> None:
    desk.behave(c2b_msisdn=style)
    await desk.register()
    await desk.pay()
    (confirmed,) = await seen(desk)
    assert confirmed.payer_phone == phone


async def test_v1_hashes_the_payer_and_names_him_whole(desk: Desk) -> None:
    url = desk.bench.url
    body = {
        "ShortCode": SHORTCODE, "ResponseType": "Completed", "ConfirmationURL": f"{url}/cb/confirm/1",
        "ValidationURL": f"{url}/cb/check/1",
    }  # fmt: skip
    answer = await post(desk, "/mpesa/c2b/v1/registerurl", body)
    assert answer.json()["ResponseDescription"] == "Success"
    assert answer.json()["OriginatorCoversationID"]
    await desk.pay(names=["WANJIRU", "ACHIENG", "OTIENO"])
    (confirmed,) = await seen(desk)
    assert desk.at("confirm")[0].body["MSISDN"] == sha256_hex(PHONE.digits)
    assert confirmed.payer_name == "WANJIRU ACHIENG OTIENO"


async def test_a_prompts_payment_is_confirmed_as_well_but_not_validated(desk: Desk) -> None:
    await desk.register()
    await desk.client().prompt(desk.order())
    (report,), (confirmed,) = await desk.reports(), await seen(desk)
    assert (report.receipt, report.amount) == (confirmed.external_id, confirmed.amount)
    assert confirmed.reference == "INV2231"
    assert desk.at("check") == []
    assert [row["channel"] for row in desk.collected()] == ["stk"]


async def test_confirmations_are_lost_doubled_late_or_wrong(desk: Desk) -> None:
    await desk.register()
    desk.bench.fault("daraja.c2b.confirmation", "lose")
    await desk.pay("101")
    desk.bench.fault("daraja.c2b.confirmation", "duplicate")
    await desk.pay("102")
    first, second = await desk.arrived("confirm", 2)
    assert external_id("paid", first.body) == external_id("paid", second.body)
    desk.bench.fault("daraja.c2b.confirmation", "late", seconds=1.5)
    await desk.pay("103")
    desk.bench.fault("daraja.c2b.confirmation", "wrong_amount", by=7)
    await desk.pay("104")
    amounts = [payment.amount.whole_units() for payment in await seen(desk, count=4)]
    assert amounts == [102, 102, 111, 103]
    assert [row["amount"] for row in desk.collected()] == ["101.00", "102.00", "103.00", "104.00"]


async def test_who_and_what_does_not_exist_cannot_pay(desk: Desk) -> None:
    for changes, status in (
        ({"shortcode": "999999"}, 404), ({"msisdn": "254700040099"}, 422), ({"amount": "10.50"}, 422),
        ({"amount": "0"}, 422), ({"surprise": 1}, 422),
    ):  # fmt: skip
        with pytest.raises(httpx.HTTPStatusError) as caught:
            await desk.pay(**changes)
        assert caught.value.response.status_code == status
    assert desk.collected() == []


async def test_the_sandbox_simulates_a_payment_and_production_does_not(desk: Desk) -> None:
    body = {
        "ShortCode": 600997, "CommandID": "CustomerPayBillOnline", "Amount": 20, "Msisdn": 254708374149,
        "BillRefNumber": "INV-9",
    }  # fmt: skip
    assert (await post(desk, "/mpesa/c2b/v2/simulate", body)).json()["errorCode"] == "404.001.01"
    desk.behave(sandbox=True)
    await desk.register()
    assert (await post(desk, "/mpesa/c2b/v2/simulate", body)).json()["ResponseCode"] == "0"
    (confirmed,) = await seen(desk)
    assert (confirmed.amount, confirmed.reference) == (Money.parse("20", "KES"), "INV-9")
    named = await post(desk, "/mpesa/c2b/v2/simulate", {**body, "Amount": 0})
    assert named.json()["errorMessage"] == "Bad Request - Invalid Amount"


async def test_the_books_show_what_came_in(desk: Desk) -> None:
    await desk.pay()
    app = FastAPI()
    app.include_router(books_routes(desk.bench.world), prefix="/books")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://books") as plain:
        assert (await plain.get("/books/collections")).json() == desk.collected()
