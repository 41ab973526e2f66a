"""Prompts by NCBA's Till API, and the query that may say FAILED of money that is on its way."""

from typing import Any

import pytest

from core.errors import InvalidRequest, KivukoError, Rejected, Transient, Unknown
from core.money import Money
from core.msisdn import Msisdn
from models.messages.saga.reports import Report
from providers.banking import EventKind
from providers.collecting import PromptQuery
from providers.ncba.client import Ncba
from providers.ncba.requests import NcbaCredentials
from tests.providers.message_servers import endpoint, raw_server
from tests.simulators.bank.bench import PHONE, WALLET, Bench


async def query(bench: Bench, bank: Ncba, transaction_id: str | None) -> Report:
    assert transaction_id is not None
    return await bank.query_prompt(PromptQuery("pay_x-p1", transaction_id))


async def test_a_prompt_that_is_paid_is_told_by_query_and_by_push(bench: Bench) -> None:
    bench.subscribe("ncba")
    bench.behave(payer_seconds=0.4)
    bank = bench.ncba()
    assert bank.capabilities.prompts_payers
    asked = await bank.prompt(bench.prompt())
    assert (await query(bench, bank, asked.provider_reference)).state == "pending"
    (event,) = await bench.received(1)
    assert event.kind is EventKind.credited
    assert event.payment is not None
    assert (event.payment.amount, event.payment.payer_phone) == (Money(150_000, "KES"), PHONE)
    assert (event.payment.account, event.payment.reference) == (WALLET.number, "KVKTILL1#KVK7F3A")
    result = await query(bench, bank, asked.provider_reference)
    assert (result.state, result.receipt, result.code) == ("paid", None, "SUCCESS")


async def test_a_query_may_say_failed_while_the_money_is_in_flight(bench: Bench) -> None:
    bench.subscribe("ncba")
    bench.behave(payer_seconds=0.4)
    bank = bench.ncba()
    bench.fault("bank.till.query", "failed_but_credited_later")
    asked = await bank.prompt(bench.prompt())
    assert (await query(bench, bank, asked.provider_reference)).state == "failed"
    assert bench.balance(WALLET.number) == "500000.00"
    await bench.received(1)
    assert bench.balance(WALLET.number) == "501500.00"
    assert (await query(bench, bank, asked.provider_reference)).state == "paid"


async def test_a_payer_who_refuses_is_failed_twice(bench: Bench) -> None:
    bench.fault("bank.till.ask", "payer_refuses")
    bank = bench.ncba()
    asked = await bank.prompt(bench.prompt())
    state = None
    while state != "failed":
        state = (await query(bench, bank, asked.provider_reference)).state
    assert (await query(bench, bank, asked.provider_reference)).state == "failed"
    assert bench.balance(WALLET.number) == "500000.00"


async def test_a_refusal_prompts_nobody(bench: Bench) -> None:
    bench.fault("bank.till.ask", "refuse")
    with pytest.raises(Rejected) as caught:
        await bench.ncba().prompt(bench.prompt())
    assert (caught.value.code, caught.value.extra["provider_code"]) == ("prompt_refused", "1")


async def test_a_time_out_is_unknown_and_the_payer_may_pay(bench: Bench) -> None:
    bench.fault("bank.till.ask", "timeout_after_execution")
    with pytest.raises(Unknown):
        await bench.ncba(read_timeout=1.0).prompt(bench.prompt())
    await bench.until(lambda: bench.balance(WALLET.number) == "501500.00")


async def test_a_token_that_is_refused_is_minted_again(bench: Bench) -> None:
    bank = bench.ncba()
    await bank.prompt(bench.prompt())
    for token in bench.world.documents.all("bank.tokens"):
        token["until"] = 0
    await bank.prompt(bench.prompt())
    assert bench.requests["/bank/ncba/payments/api/v1/auth/token"] == 2


async def test_an_unknown_prompt_is_pending(bench: Bench) -> None:
    assert (await query(bench, bench.ncba(), "ws_nothing")).state == "pending"


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money(150_050, "KES")}, {"amount": Money(0, "KES")}, {"amount": Money(100_00, "USD")},
        {"msisdn": Msisdn("+256772123456")}, {"payer_reference": "a#b"}, {"payer_reference": ""},
    ],
)  # fmt: skip
async def test_a_prompt_that_cannot_be_sent_is_refused_here(bench: Bench, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        await bench.ncba().prompt(bench.prompt(**changes))
    assert not any("stk-push" in path for path in bench.requests)


async def test_without_till_credentials_nobody_can_be_prompted(bench: Bench) -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("till_base_url", "till_username", "till_password", "till_paybill", "till_account")
    )
    bank = bench.ncba(**nothing)
    assert not bank.capabilities.prompts_payers
    for call in (bank.prompt(bench.prompt()), bank.query_prompt(PromptQuery("a", "b"))):
        with pytest.raises(InvalidRequest) as caught:
            await call
        assert caught.value.code == "unsupported"


@pytest.mark.parametrize(
    ("answer", "asked", "queried"),
    [
        (("500 Oops", '{"StatusCode":"1","status":"FAILED"}'), Unknown, Transient),
        (("200 OK", "<html>"), Unknown, "pending"),
        (("200 OK", '{"StatusCode":"0","TransactionID":""}'), Unknown, "pending"),
        (("200 OK", '{"StatusCode":"7","status":"EXPIRED"}'), Unknown, "pending"),
        (("400 Bad", '{"StatusCode":"1","status":"FAILED"}'), Rejected, "pending"),
    ],
)
async def test_what_an_answer_says(
    bench: Bench, answer: tuple[str, str], asked: type[KivukoError], queried: str | type[KivukoError]
) -> None:
    async def talk(reader: Any, writer: Any) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        told = ("200 OK", '{"access_token":"t","expires_in":18000}') if b"auth/token" in request else answer
        head = f"HTTP/1.1 {told[0]}\r\nContent-Length: {len(told[1])}\r\nConnection: close\r\n\r\n"
        writer.write((head + told[1]).encode())
        await writer.drain()

    async with raw_server(talk) as port:
        credentials = NcbaCredentials(
            user_id="u", password="p", subscription_key="k", till_base_url=f"http://127.0.0.1:{port}",
            till_username="t", till_password="t", till_paybill="880100", till_account="KVKTILL1",
        )  # fmt: skip
        async with Ncba(endpoint(f"http://127.0.0.1:{port}"), credentials) as bank:
            with pytest.raises(asked):
                await bank.prompt(bench.prompt())
            if isinstance(queried, str):
                assert (await query(bench, bank, "ws_1")).state == queried
            else:
                with pytest.raises(queried):
                    await query(bench, bank, "ws_1")
