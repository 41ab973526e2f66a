"""Simulated payers and the callbacks of their prompts, judged by the books."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.clock import utc_now
from core.money import Money
from core.msisdn import Msisdn
from providers.daraja.stk import stk_request
from providers.daraja.wire import external_id
from simulators.documents import Documents
from simulators.faults import Fault, FaultScript
from tests.providers.daraja.bench import CONSUMER_SECRET, PHONE
from tests.providers.daraja.desk import PASSKEY, Desk, daraja_desk
from tests.support.simulator_server import AppServer

PUSH = "/daraja/mpesa/stkpush/v1/processrequest"


async def push(desk: Desk, **changes: Any) -> httpx.Response:
    """As any client would, without ours."""
    good = stk_request(desk.order(), desk.bench.credentials(passkey=PASSKEY), utc_now())
    async with httpx.AsyncClient(verify=False, base_url=desk.bench.url) as plain:
        auth = httpx.BasicAuth("consumer-key-1", CONSUMER_SECRET)
        token = await plain.get("/daraja/oauth/v1/generate?grant_type=client_credentials", auth=auth)
        bearer = {"authorization": f"Bearer {token.json()['access_token']}"}
        return await plain.post(PUSH, json={**good, **changes}, headers=bearer)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Amount", "1500.50"), ("Amount", 0), ("PhoneNumber", "0712345678"), ("PartyA", "+254712345678"),
        ("Timestamp", "20261121"), ("TransactionType", "Gift"), ("AccountReference", "x" * 13),
        ("AccountReference", ""), ("TransactionDesc", ["x"]), ("CallBackURL", "https://a.example/mpesa"),
        ("Password", ""),
    ],
)  # fmt: skip
async def test_a_bad_field_is_named(desk: Desk, field: str, value: Any) -> None:
    answer = await push(desk, **{field: value})
    assert (answer.status_code, answer.json()["errorMessage"]) == (400, f"Bad Request - Invalid {field}")
    assert desk.prompts() == []


async def test_numbers_and_texts_are_taken_alike(desk: Desk) -> None:
    answer = await push(desk, Amount=1500, PhoneNumber=int(PHONE.digits), PartyB=600997)
    assert answer.json()["ResponseCode"] == "0"
    assert (await desk.reports())[0].state == "paid"


async def test_another_timestamp_than_the_signed_one_is_refused(desk: Desk) -> None:
    answer = await push(desk, Timestamp="20261121091400")
    assert (answer.status_code, answer.json()["errorCode"]) == (500, "500.001.1001")
    assert answer.json()["errorMessage"] == "Wrong credentials"


@pytest.mark.parametrize(("amount", "code"), [("1", "0"), ("250000", "0"), ("250001", "3")])
async def test_the_limits_of_one_payment_hold(desk: Desk, amount: str, code: str) -> None:
    await desk.client().prompt(desk.order(amount=amount))
    assert [report.code for report in await desk.reports()] == [code]


async def test_a_raised_minimum_holds(desk: Desk) -> None:
    desk.behave(stk_minimum=10)
    await desk.client().prompt(desk.order(amount="9"))
    assert [report.code for report in await desk.reports()] == ["2"]


async def test_the_same_amount_again_within_two_minutes_is_17(desk: Desk) -> None:
    client = desk.client()
    await client.prompt(desk.order())
    await client.prompt(desk.order("col_2"))
    await client.prompt(desk.order("col_3", amount="1501"))
    await client.prompt(desk.order("col_4", msisdn=Msisdn("+254712345679")))
    codes = sorted(report.code for report in await desk.reports(4))
    assert codes == ["0", "0", "0", "17"]
    desk.behave(stk_repeat_seconds=0)
    await client.prompt(desk.order("col_5"))
    assert (await desk.reports(5))[4].code == "0"


async def test_a_cancelled_prompt_may_be_repeated_at_once(desk: Desk) -> None:
    await desk.payer("cancel", times=1)
    client = desk.client()
    await client.prompt(desk.order())
    await desk.reports()
    await client.prompt(desk.order("col_2"))
    assert [report.code for report in await desk.reports(2)] == ["1032", "0"]


async def test_a_slow_payer_pays_before_the_prompt_ends_and_a_slower_one_does_not(desk: Desk) -> None:
    await desk.payer("slow")
    client = desk.client()
    await client.prompt(desk.order())
    await desk.payer("slow", after_seconds=9)
    await client.prompt(desk.order("col_2", amount="20"))
    assert sorted((report.code, report.state) for report in await desk.reports(2)) == [
        ("0", "paid"),
        ("1037", "failed"),
    ]
    assert len(desk.collected()) == 1


async def test_a_number_that_belongs_to_nobody_never_answers(desk: Desk) -> None:
    await desk.client().prompt(desk.order(msisdn=Msisdn("+254700040012")))
    assert [report.code for report in await desk.reports()] == ["1037"]


@pytest.mark.parametrize("code", ["1", "1025", "9999", "1036", "SFC_IC0003"])
async def test_a_scripted_refusal_is_accepted_first_and_takes_nothing(desk: Desk, code: str) -> None:
    desk.bench.fault("daraja.stk.send", "refuse", code=code)
    await desk.client().prompt(desk.order())
    (report,) = await desk.reports()
    assert (report.code, report.state) == (code, "unclear" if code == "1036" else "failed")
    assert desk.collected() == []


# ---------------------------------------------------------------------------------------------------------- callbacks


async def test_a_lost_callback_leaves_a_payment_that_the_query_finds(desk: Desk) -> None:
    desk.bench.fault("daraja.stk.callback", "lose")
    client = desk.client()
    asked = await client.prompt(desk.order())
    await desk.bench.until(lambda: len(desk.collected()) == 1)
    assert (await client.query_prompt(desk.inquiry(asked))).state == "paid"
    assert desk.at("asked") == []


async def test_an_early_callback_comes_before_the_acknowledgement(desk: Desk) -> None:
    desk.bench.fault("daraja.stk.callback", "early")
    asked = await desk.client().prompt(desk.order())
    assert [callback.body["Body"]["stkCallback"]["CheckoutRequestID"] for callback in desk.at("asked")] == [
        asked.provider_reference
    ]


async def test_a_late_callback_is_late(desk: Desk) -> None:
    desk.bench.fault("daraja.stk.callback", "late", seconds=0.3)
    await desk.client().prompt(desk.order())
    await desk.bench.until(lambda: len(desk.collected()) == 1)
    assert desk.at("asked") == []
    assert (await desk.reports())[0].state == "paid"


async def test_a_duplicate_callback_has_the_same_inbox_id(desk: Desk) -> None:
    desk.bench.fault("daraja.stk.callback", "duplicate")
    await desk.client().prompt(desk.order())
    first, second = await desk.arrived("asked", 2)
    assert external_id("asked", first.body) == external_id("asked", second.body)
    assert len(desk.collected()) == 1


@pytest.mark.parametrize(
    ("action", "states"),
    [("contradict_after", ["paid", "failed"]), ("contradict_before", ["failed", "paid"]), ("forged", ["paid", "paid"])],
)
async def test_two_callbacks_of_one_prompt_come_in_the_order_asked_for(
    desk: Desk, action: str, states: list[str]
) -> None:
    desk.bench.fault("daraja.stk.callback", action, seconds=0.05)
    await desk.client().prompt(desk.order())
    reports = await desk.reports(2)
    assert [report.state for report in reports] == states
    true = [report for report in reports if report.receipt == desk.collected()[0]["receipt"]]
    assert [report.amount for report in true] == [Money.parse("1500", "KES")]
    ids = {external_id("asked", callback.body) for callback in desk.at("asked")}
    assert len(ids) == 2


async def test_a_forged_address_differs_in_its_secret_alone(desk: Desk) -> None:
    desk.bench.fault("daraja.stk.callback", "forged_url")
    await desk.client().prompt(desk.order())
    forged, true = await desk.arrived("asked", 2)
    assert forged.path[:-1] == true.path[:-1]
    assert forged.path[-1] != true.path[-1]


async def test_a_wrong_amount_is_in_the_callback_and_not_in_the_books(desk: Desk) -> None:
    desk.bench.fault("daraja.stk.callback", "wrong_amount", by=50)
    await desk.client().prompt(desk.order())
    (report,) = await desk.reports()
    assert (report.amount, desk.collected()[0]["amount"]) == (Money.parse("1550", "KES"), "1500.00")


async def test_texts_in_place_of_numbers_are_read_alike(desk: Desk) -> None:
    desk.bench.fault("daraja.stk.callback", "as_strings")
    await desk.client().prompt(desk.order())
    (report,) = await desk.reports()
    assert (report.state, report.amount, report.party_digits) == ("paid", Money.parse("1500", "KES"), PHONE.digits)
    assert report.happened_at is not None


async def test_faults_can_be_aimed_at_one_prompt(desk: Desk) -> None:
    facts = {"msisdn": PHONE.digits, "amount": "20", "reference": "INV2231", "shortcode": "600997"}
    lose = Fault(operation="daraja.stk.callback", action="lose", match=facts)
    desk.bench.world.faults.add(FaultScript(faults=[lose]))
    client = desk.client()
    await client.prompt(desk.order(amount="20"))
    await client.prompt(desk.order("col_2"))
    await desk.bench.until(lambda: len(desk.collected()) == 2)
    assert [report.amount for report in await desk.reports()] == [Money.parse("1500", "KES")]


async def test_a_restart_takes_up_the_prompts_that_were_out(simulator_server: AppServer, tmp_path: Path) -> None:
    file = tmp_path / "world.sqlite"
    first_life = Documents(file)
    first_life.put("daraja.settings", "behaviour", {"stk_payer_seconds": 20})
    with daraja_desk(simulator_server, first_life) as desk:
        await desk.client().prompt(desk.order())
        assert desk.collected() == []
        await desk.bench.close()
    first_life.close()

    second_life = Documents(file)
    (waiting,) = second_life.all("daraja.prompts")
    second_life.put("daraja.prompts", waiting["checkout_id"], {**waiting, "seconds": 0.01})
    with daraja_desk(simulator_server, second_life) as desk:
        (report,) = await desk.reports()  # nobody has asked it for anything
        assert report.state == "paid"
        await asyncio.sleep(0.05)
        assert len(desk.at("asked")) == len(desk.collected()) == 1
    second_life.close()


async def test_the_control_routes_show_prompts_without_secrets(desk: Desk) -> None:
    await desk.client().prompt(desk.order())
    await desk.reports()
    shown = await desk.control("GET", "/prompts")
    assert [(prompt["state"], prompt["code"]) for prompt in shown.json()] == [("paid", "0")]
    assert PASSKEY not in shown.text + (await desk.control("GET", "/apps")).text
