"""What published clients of Daraja send, in our own values: the simulator takes what the gateway takes.

The bodies follow public code in Python, JavaScript, Go, Kotlin, Rust, Java and PHP, whose authors send numbers where others
send texts, fields that are in no table, and descriptions longer than the page allows.
"""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from core.clock import utc_now
from providers.daraja.requests import security_credential
from providers.daraja.stk import stk_request
from providers.daraja.wire import parse_status_result
from simulators.books import books_routes
from tests.providers.daraja.bench import CONSUMER_SECRET, PHONE, SHORTCODE
from tests.providers.daraja.desk import PASSKEY, Desk, daraja_desk
from tests.support.simulator_server import AppServer

NUMBER, CODE = int(PHONE.digits), int(SHORTCODE)


async def post(desk: Desk, path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with httpx.AsyncClient(verify=False, base_url=f"{desk.bench.url}/daraja") as plain:
        auth = httpx.BasicAuth("consumer-key-1", CONSUMER_SECRET)
        token = (await plain.get("/oauth/v1/generate?grant_type=client_credentials", auth=auth)).json()["access_token"]
        answer = await plain.post(path, json=body, headers={"authorization": f"Bearer {token}"})
    said: dict[str, Any] = answer.json()
    return said


PUSHES: dict[str, dict[str, Any]] = {
    "Safaricom's own, numbers": {
        "BusinessShortCode": CODE, "Amount": 1500, "PartyA": NUMBER, "PartyB": CODE, "PhoneNumber": NUMBER,
        "TransactionDesc": "Payment of X",
    },
    "Django, phones as numbers and a long description": {
        "Amount": "1500", "PartyA": NUMBER, "PhoneNumber": NUMBER, "AccountReference": "Duka Kubwa",
        "TransactionDesc": "Duka Kubwa order payment 27",
    },
    "axios, parseInt of everything": {
        "BusinessShortCode": CODE, "Amount": 1500, "PartyA": NUMBER, "PartyB": CODE, "PhoneNumber": NUMBER,
        "TransactionDesc": "tickets for the show on Saturday night, two of them",
    },
    "a school's, its own headers in the body": {
        "Amount": 1500, "PartyA": PHONE.digits, "AccountReference": "0712345678",
        "TransactionDesc": "0712345678", "headers": {"Content-Type": "application/json"},
    },
    "a float for the amount": {"Amount": 1500.0, "TransactionDesc": "", "Remark": "none"},
}  # fmt: skip


@pytest.mark.parametrize("client", PUSHES.values(), ids=PUSHES.keys())
async def test_a_prompt_as_published_clients_send_it(desk: Desk, client: dict[str, Any]) -> None:
    signed = stk_request(desk.order(), desk.bench.credentials(passkey=PASSKEY), utc_now())
    said = await post(desk, "/mpesa/stkpush/v1/processrequest", {**signed, **client})
    assert said["ResponseCode"] == "0", said
    assert (await desk.reports())[0].state == "paid"
    (row,) = desk.collected()
    assert (row["amount"], row["msisdn"]) == ("1500.00", PHONE.digits)


PAYOUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "a platform's DTO, v3": ("v3", {"OriginatorConversationID": "kvk-7f3a9c2e51b04d6f-a1", "Amount": 1250, "Occassion": ""}),
    "Rust, amount as a float, v1": ("v1", {"Amount": 1250.0, "Occasion": "Test"}),
    "Go, short code as a number": ("v1", {"Amount": 1250, "PartyA": CODE, "PartyB": NUMBER, "Occassion": "none"}),
    "Node with a reference on v1": ("v1", {"OriginatorConversationID": "jane-1764000000000", "Amount": 1250}),
    ".NET with its password": ("v1", {"Password": "x", "Amount": "1250", "Occassion": "x" * 150}),
}  # fmt: skip


@pytest.mark.parametrize(("version", "client"), PAYOUTS.values(), ids=PAYOUTS.keys())
async def test_a_payout_as_published_clients_send_it(desk: Desk, version: str, client: dict[str, Any]) -> None:
    body = {
        "InitiatorName": "kivukoapi", "SecurityCredential": security_credential(desk.bench.credentials()),
        "CommandID": "BusinessPayment", "PartyA": SHORTCODE, "PartyB": PHONE.digits, "Remarks": "payout",
        "QueueTimeOutURL": f"{desk.bench.url}/cb/late/1", "ResultURL": f"{desk.bench.url}/cb/out/1", **client,
    }  # fmt: skip
    said = await post(desk, f"/mpesa/b2c/{version}/paymentrequest", body)
    assert said["ResponseCode"] == "0", said
    await desk.bench.until(lambda: len(desk.bench.paid()) == 1)
    (paid,) = desk.bench.paid()
    assert (paid["amount"], paid["msisdn"], paid["shortcode"]) == ("1250.00", PHONE.digits, SHORTCODE)


STATUS: dict[str, dict[str, Any]] = {
    "Python": {"PartyA": SHORTCODE, "IdentifierType": "4"},
    "Go": {"PartyA": CODE, "IdentifierType": 4, "Occassion": "TRANSACTION STATUS OCCASION"},
    "PHP with an id beside it": {"PartyA": CODE, "IdentifierType": 4, "OriginatorConversationID": "AG_1", "Occasion": " "},
}  # fmt: skip


@pytest.mark.parametrize("client", STATUS.values(), ids=STATUS.keys())
async def test_the_status_of_a_received_payment_is_found_by_its_receipt(desk: Desk, client: dict[str, Any]) -> None:
    receipt = (await desk.pay("1500"))["receipt"]
    body = {
        "Initiator": "kivukoapi", "SecurityCredential": security_credential(desk.bench.credentials()),
        "CommandID": "TransactionStatusQuery", "TransactionID": receipt, "Remarks": "check",
        "QueueTimeOutURL": f"{desk.bench.url}/cb/late/1", "ResultURL": f"{desk.bench.url}/cb/status/1", **client,
    }  # fmt: skip
    assert (await post(desk, "/mpesa/transactionstatus/v1/query", body))["ResponseCode"] == "0"
    read = parse_status_result((await desk.arrived("status"))[0].body)
    assert (read.state, read.receipt, read.amount and read.amount.amount) == ("paid", receipt, "1500.00")
    assert read.party_digits == PHONE.digits


async def test_nobody_elses_received_payment_is_found(desk: Desk) -> None:
    receipt = (await desk.pay("1500"))["receipt"]
    row = desk.collected()[0]
    desk.bench.world.documents.put("books.collections", receipt, {**row, "shortcode": "600111"})
    body = {
        "Initiator": "kivukoapi", "SecurityCredential": security_credential(desk.bench.credentials()),
        "CommandID": "TransactionStatusQuery", "TransactionID": receipt, "Remarks": "check", "PartyA": SHORTCODE,
        "IdentifierType": "4", "QueueTimeOutURL": f"{desk.bench.url}/cb/late/1",
        "ResultURL": f"{desk.bench.url}/cb/status/1",
    }  # fmt: skip
    await post(desk, "/mpesa/transactionstatus/v1/query", body)
    assert parse_status_result((await desk.arrived("status"))[0].body).state == "unclear"


async def test_a_reversal_as_published_clients_send_it(desk: Desk) -> None:
    receipt = (await desk.pay("1500"))["receipt"]
    body = {
        "Initiator": "kivukoapi", "SecurityCredential": security_credential(desk.bench.credentials()),
        "CommandID": "TransactionReversal", "TransactionID": receipt, "Amount": 1500, "ReceiverParty": CODE,
        "RecieverIdentifierType": 4, "Remarks": "paid twice", "Occassion": "refund",
        "QueueTimeOutURL": f"{desk.bench.url}/cb/late/1", "ResultURL": f"{desk.bench.url}/cb/back/1",
    }  # fmt: skip
    assert (await post(desk, "/mpesa/reversal/v1/request", body))["ResponseCode"] == "0"
    await desk.bench.until(lambda: desk.collected()[0]["reversed"])


async def test_a_pull_with_numbers(desk: Desk) -> None:
    register = {
        "ShortCode": CODE,
        "RequestType": "Pull",
        "NominatedNumber": NUMBER,
        "CallBackURL": f"{desk.bench.url}/cb/p",
    }
    assert (await post(desk, "/pulltransactions/v1/register", register))["ResponseStatus"] == "1000"
    await desk.pay("1500")
    now = utc_now() + timedelta(hours=3)  # Nairobi's clock
    window = {"StartDate": f"{now - timedelta(hours=1):%Y-%m-%d %H:%M:%S}", "EndDate": f"{now:%Y-%m-%d} 23:59:59"}
    said = await post(desk, "/pulltransactions/v1/query", {"ShortCode": CODE, **window, "OffSetValue": 0})
    assert len(said["Response"][0]) == 1


async def test_a_strict_app_finds_what_its_author_should_look_at_in_the_books(simulator_server: AppServer) -> None:
    with daraja_desk(simulator_server, strict=True) as desk:
        signed = stk_request(desk.order(), desk.bench.credentials(passkey=PASSKEY), utc_now())
        said = await post(
            desk, "/mpesa/stkpush/v1/processrequest", {**signed, "TransactionDesc": "x" * 27, "headers": {}}
        )
        assert said["ResponseCode"] == "0"
        app = FastAPI()
        app.include_router(books_routes(desk.bench.world), prefix="/books")
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://books") as plain:
            noted = (await plain.get("/books/daraja-oddities")).json()
        assert [(row["operation"], row["what"]) for row in noted] == [
            ("stk", "TransactionDesc is longer than the page allows"), ("stk", "headers is in no table"),
        ]  # fmt: skip
        await desk.bench.close()


async def test_another_app_has_nothing_noted(desk: Desk) -> None:
    signed = stk_request(desk.order(), desk.bench.credentials(passkey=PASSKEY), utc_now())
    await post(desk, "/mpesa/stkpush/v1/processrequest", {**signed, "headers": {}})
    assert desk.bench.world.documents.all("books.daraja_oddities") == []
