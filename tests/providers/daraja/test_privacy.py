"""No secret, token, phone number or name in what the client logs, says or prints."""

import base64
import json
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import pytest

from core.errors import KivukoError
from providers.daraja.wire import DarajaCredentials, scrub
from tests.providers.daraja.bench import CONSUMER_SECRET, PASSWORD, PHONE, Bench, golden

NAME = "WANJIRU"


def open_text(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


async def test_no_exchange_holds_a_secret_a_token_or_a_phone_number(bench: Bench) -> None:
    client = bench.client()
    await client.check()
    for action in ("invalid_token", "html_after_execution", "error_500_after_execution", "timeout_after_execution"):
        bench.fault("daraja.b2c.send", action, seconds=0.2)
        with pytest.raises(KivukoError) if action != "invalid_token" else nullcontext():
            await client.send(bench.order(f"pay_{action[:10]}-a1"))
    await client.query_status(bench.inquiry())
    await client.query_balance(bench.callback_url("bal", "x"), bench.callback_url("bal", "y"))

    tokens = [token for kept in bench.world.documents.all("daraja.tokens") for token in kept["tokens"]]
    credentials = [row["request"]["SecurityCredential"] for row in bench.world.documents.all("daraja.orders")]
    basic = base64.b64encode(f"consumer-key-1:{CONSUMER_SECRET}".encode()).decode()
    macs = [bench.callback_url("out", "pay_01a-a1").rsplit("/", 1)[1]]
    assert tokens
    assert credentials
    assert {exchange.operation for exchange in bench.exchanges} == {
        "token", "b2c.send", "status.query", "balance.query",
    }  # fmt: skip
    for exchange in bench.exchanges:
        text = open_text(asdict(exchange))
        for secret in (*tokens, *credentials, *macs, basic, CONSUMER_SECRET, PASSWORD, PHONE.digits, "Bearer"):
            assert secret not in text, exchange.operation
        if exchange.operation == "b2c.send":
            assert exchange.reference is not None
            assert exchange.request["OriginatorConversationID"] == exchange.reference
            assert exchange.request["PartyB"] == "25471•••678"


async def test_an_error_names_no_phone_number_even_if_daraja_does(bench: Bench) -> None:
    bench.fault("daraja.b2c.send", "invalid_request", message=f"Bad Request - Invalid PartyB {PHONE.digits}")
    with pytest.raises(KivukoError) as caught:
        await bench.client().send(bench.order())
    assert PHONE.digits not in open_text([caught.value.detail, caught.value.extra])
    assert "Invalid PartyB" in caught.value.detail


def test_credentials_print_no_secret_and_dump_whole(bench: Bench) -> None:
    credentials = bench.credentials()
    for secret in (CONSUMER_SECRET, PASSWORD, "BEGIN CERTIFICATE"):
        assert secret not in repr(credentials)
    assert DarajaCredentials.model_validate_json(credentials.model_dump_json()) == credentials


def test_a_bad_credential_is_refused_without_repeating_it(bench: Bench) -> None:
    with pytest.raises(ValueError) as caught:
        DarajaCredentials.model_validate({**bench.credentials().model_dump(), "shortcode": "x", "extra": PASSWORD})
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("name", ["timeout_notice_flat", "result_paid", "status_completed_repeated_party"])
def test_scrubbed_callbacks_hold_no_credential_phone_name_or_url_secret(name: str) -> None:
    body = golden(name)
    text = open_text(scrub(body))
    for private in ("SecurityCredential", PHONE.digits, NAME, "7f3a9c2e51b04d6f7f3a9c2e51b04d6f"):
        assert private not in text
    assert "kvk-7f3a9c2e51b04d6f-a1" in text
    assert scrub(scrub(body)) == scrub(body)
    assert body == golden(name), "the body itself is left alone"
