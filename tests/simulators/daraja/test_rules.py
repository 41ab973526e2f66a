"""What the simulated M-Pesa refuses, remembers and resumes."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.clock import utc_now
from core.msisdn import Msisdn
from models.messages.saga.reports import Report
from providers.daraja.wire import b2c_request, parse_result, status_request
from simulators.daraja.identifiers import receipt
from simulators.daraja.models import OpenApp
from simulators.daraja.portal import open_app
from simulators.documents import Documents
from tests.providers.daraja.bench import CONSUMER_SECRET, PASSWORD, Bench, daraja_bench
from tests.support.simulator_server import AppServer

B2C = "/daraja/mpesa/b2c/v3/paymentrequest"
STATUS = "/daraja/mpesa/transactionstatus/v1/query"


async def post(bench: Bench, path: str, body: Any, **headers: str) -> httpx.Response:
    """As any client would, without ours."""
    async with httpx.AsyncClient(verify=False, base_url=bench.url) as plain:
        auth = httpx.BasicAuth("consumer-key-1", CONSUMER_SECRET)
        token = await plain.get("/daraja/oauth/v1/generate?grant_type=client_credentials", auth=auth)
        bearer = {"authorization": f"Bearer {token.json()['access_token']}"}
        return await plain.post(path, json=body, headers={**bearer, **headers})


async def outcome(bench: Bench, number: int = 1, **changes: Any) -> Report:
    credentials = changes.pop("credentials", {})
    await bench.client(**credentials).send(bench.order(f"pay_{number}-a1", **changes))
    return parse_result((await bench.received(number))[number - 1].body)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Amount", "1250.50"), ("Amount", 0), ("Amount", True), ("Amount", None), ("PartyB", "0712345678"),
        ("PartyB", "+254712345678"), ("PartyB", 712345678), ("PartyB", True), ("Remarks", ""), ("CommandID", "Gift"),
        ("ResultURL", "https://a.example/mpesa"), ("QueueTimeOutURL", "not a url"), ("OriginatorConversationID", "a b"),
        ("OriginatorConversationID", None), ("Amount", 1250.5), ("Amount", "１２５０"),
    ],
)  # fmt: skip
async def test_a_bad_field_is_named(bench: Bench, field: str, value: Any) -> None:
    good = b2c_request(bench.order(), bench.credentials())
    answer = await post(bench, B2C, {**good, field: value})
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "400.002.02"
    assert answer.json()["errorMessage"] == f"Bad Request - Invalid {field}"
    assert (await post(bench, B2C, good)).json()["ResponseCode"] == "0"


async def test_a_body_that_is_no_object_or_no_json_is_refused(bench: Bench) -> None:
    assert (await post(bench, B2C, [1])).json()["errorCode"] == "400.002.05"
    form = await post(bench, B2C, {}, **{"content-type": "text/plain"})
    assert form.json()["errorMessage"] == "Bad Request - Invalid OriginatorConversationID"


async def test_v1_does_not_know_our_reference(bench: Bench) -> None:
    """It takes the field, as it takes any that is in no table, and makes an id of its own: a repeat is paid again."""
    body = b2c_request(bench.order(), bench.credentials())
    answers = [await post(bench, "/daraja/mpesa/b2c/v1/paymentrequest", body) for _ in range(2)]
    ids = {answer.json()["OriginatorConversationID"] for answer in answers}
    assert (len(ids), body["OriginatorConversationID"] in ids) == (2, False)
    await bench.until(lambda: len(bench.paid()) == 2)


async def test_an_empty_status_key_is_acknowledged_with_empty_fields(bench: Bench) -> None:
    body = {**status_request(bench.inquiry(), bench.credentials()), "TransactionID": ""}
    assert set((await post(bench, STATUS, body)).json().values()) == {""}


async def test_wrong_paths_and_methods_are_told_in_darajas_words(bench: Bench) -> None:
    assert (await post(bench, "/daraja/mpesa/b2c/v9/paymentrequest", {})).json()["errorCode"] == "404.001.01"
    async with httpx.AsyncClient(verify=False, base_url=bench.url) as plain:
        assert (await plain.get(B2C)).json()["errorCode"] == "405.001"
        assert (await plain.post(B2C, json={})).json()["errorCode"] == "404.001.03"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": "9"}, "2"), ({"amount": "250001"}, "3"), ({"amount": "10"}, "0"),
        ({"msisdn": Msisdn("+254700040123")}, "2040"),
        ({"credentials": {"initiator_name": "somebody"}}, "2001"),
        ({"credentials": {"initiator_password": "old"}}, "2001"),
        ({"credentials": {"shortcode": "600111"}}, "TP40153"),
    ],
)  # fmt: skip
async def test_a_payout_outside_the_rules_fails_by_its_code(bench: Bench, changes: dict[str, Any], code: str) -> None:
    read = await outcome(bench, **changes)
    assert read.code == code
    assert len(bench.paid()) == (1 if code == "0" else 0)


async def test_the_daily_limit_and_the_largest_balance_of_a_receiver_hold(bench: Bench) -> None:
    open_again(bench, utility_balance="2000000.00")
    assert [(await outcome(bench, n, amount="250000")).code for n in (1, 2, 3)] == ["0", "0", "4"]
    other = Msisdn("+254799000001")
    async with httpx.AsyncClient(verify=False, base_url=f"{bench.url}/daraja/simulator") as control:
        await control.put("/customers", json={"msisdn": other.digits, "balance": "499000.00"})
    assert (await outcome(bench, 4, msisdn=other, amount="2000")).code == "8"


async def test_an_empty_utility_account_pays_nothing_until_it_is_topped_up(bench: Bench) -> None:
    open_again(bench, utility_balance="1250.00")  # enough for the amount and not for its charge
    read = await outcome(bench)
    assert (read.code, read.retriable, bench.paid()) == ("1", True, [])
    open_again(bench, utility_balance="1255.00")
    assert (await outcome(bench, 2)).code == "0"
    open_again(bench, utility_balance="1255.00")
    assert (await outcome(bench, 3)).code == "1", "posting the same app again does not refill it"


async def test_a_wrong_password_locks_the_initiator_for_the_right_one_too(bench: Bench) -> None:
    """SCARS: one expired initiator password fails, then locks, a whole batch."""
    wrong = {"credentials": {"initiator_password": "expired"}}
    codes = [(await outcome(bench, n, **wrong)).code for n in (1, 2, 3, 4)]
    assert codes == ["2001", "2001", "2001", "8006"]
    assert (await outcome(bench, 5)).code == "8006"
    open_again(bench)
    assert (await outcome(bench, 6)).code == "0"


async def test_an_app_without_v3_is_told_so(simulator_server: AppServer) -> None:
    with daraja_bench(simulator_server, b2c_versions=["v1"]) as bench:
        answer = await post(bench, B2C, b2c_request(bench.order(), bench.credentials()))
        assert (answer.status_code, answer.json()["errorCode"]) == (403, "403.002.1001")


async def test_two_of_one_reference_at_the_same_moment_are_paid_once(bench: Bench) -> None:
    body = b2c_request(bench.order(), bench.credentials())
    answers = await asyncio.gather(*(post(bench, B2C, body) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 500, 500, 500, 500, 500]
    await bench.received()
    assert len(bench.paid()) == 1


async def test_a_restart_executes_what_was_queued_and_keeps_what_was_known(
    simulator_server: AppServer, tmp_path: Path
) -> None:
    file = tmp_path / "world.sqlite"
    first_life = Documents(file)
    first_life.put("daraja.settings", "behaviour", {"execution_delay_seconds": 60})
    with daraja_bench(simulator_server, first_life) as bench:
        await bench.client().send(bench.order())
        order = bench.order()
        await bench.close()
        assert bench.paid() == []
    first_life.close()

    second_life = Documents(file)
    second_life.put("daraja.settings", "behaviour", {"execution_delay_seconds": 0.01})
    with daraja_bench(simulator_server, second_life) as bench:
        (callback,) = await bench.received()  # nobody has asked it for anything
        assert parse_result(callback.body).state == "paid"
        assert [row["reference"] for row in bench.paid()] == [order.reference]
        answer = await post(bench, B2C, b2c_request(order, bench.credentials()))
        assert answer.json()["errorCode"] == "500.002.1001", "the reference is remembered"
        await asyncio.sleep(0.1)
        assert len(bench.callbacks) == len(bench.paid()) == 1
    second_life.close()


async def test_the_control_routes_show_what_happened_without_secrets(bench: Bench) -> None:
    await bench.client().send(bench.order())
    await bench.received()
    async with httpx.AsyncClient(verify=False, base_url=f"{bench.url}/daraja/simulator") as control:
        pem, apps, orders = [await control.get(path) for path in ("/certificate", "/apps", "/orders")]
        changed = await control.patch("/behaviour", json={"lock_after": 9})
    assert pem.text == bench.credentials().certificate_pem
    assert apps.json()[0]["utility_balance"] == "498750.00"
    assert orders.json()[0]["state"] == "paid"
    assert (changed.json()["lock_after"], changed.json()["execution_delay_seconds"]) == (9, 0.03)
    assert not any(secret in apps.text + orders.text for secret in (PASSWORD, CONSUMER_SECRET))


def test_receipts_never_repeat_and_are_shaped_as_mpesas() -> None:
    documents = Documents()
    made = [receipt(documents, utc_now()) for _ in range(5000)]
    assert len(set(made)) == 5000
    assert all(len(one) == 10 and one.isalnum() and one.isupper() for one in made)


def open_again(bench: Bench, **changes: Any) -> None:
    plain = {
        "consumer_key": "consumer-key-1", "consumer_secret": CONSUMER_SECRET, "shortcode": "600997",
        "initiator_name": "kivukoapi", "initiator_password": PASSWORD, "utility_balance": "500000.00",
    }  # fmt: skip
    open_app(bench.world, OpenApp.model_validate({**plain, **changes}))
