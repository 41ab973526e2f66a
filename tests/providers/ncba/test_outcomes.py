"""NCBA's client against the simulated bank: every answer sorted by what may have happened, judged by the books."""

from collections.abc import Mapping
from typing import Any

import pytest

from core.errors import (
    Busy,
    InsufficientFunds,
    InvalidRequest,
    KivukoError,
    LimitExceeded,
    NotAllowed,
    NotReached,
    Rejected,
    Throttled,
    Transient,
    Unknown,
)
from core.money import Money
from providers.banking import BankAccount, BankPort, bank_day
from providers.ncba.client import Ncba
from providers.ncba.codes import accepted
from providers.ncba.requests import NcbaCredentials
from simulators.bank.models import TOKENS
from tests.providers.message_servers import endpoint, free_port, http_answer, raw_server
from tests.simulators.bank.bench import B2C, KEY, PASSWORD, REFERENCE, WALLET, Bench, transfer_order

IFT = "/bank/ncba/api/v1/IFTTransaction/ifttransaction"
OTHER_BANK = BankAccount("01109876543210", "A OTIENO", "11000")

# What leaves the bank's doors although the caller cannot know, and what leaves nothing.
EXECUTED = (
    "paid_but_answered_otherwise",
    "timeout_after_execution",
    "drop_after_debit",
    "server_error_after",
    "not_json",
)
NOT_EXECUTED = ("timeout_before", "server_error_before")


async def error_of(call: Any) -> KivukoError:
    with pytest.raises(KivukoError) as caught:
        await call
    return caught.value


async def test_an_internal_transfer_is_paid_by_its_answer(bench: Bench) -> None:
    bank: BankPort = bench.ncba()
    submitted = await bank.transfer(bench.transfer())
    (moved,) = bench.debits()
    assert submitted.provider_reference == moved["bank_transaction_id"]
    result = submitted.report
    assert result is not None
    assert (result.state, result.reference) == ("paid", REFERENCE)
    assert (result.receipt, result.amount) == (moved["bank_transaction_id"], Money(150_000, "KES"))
    assert (bench.balance(WALLET.number), bench.balance(B2C.number)) == ("498500.00", "101500.00")
    assert moved["narration"] == f"{REFERENCE} float for Nakuru"


async def test_a_pesalink_transfer_is_paid_by_its_answer(bench: Bench) -> None:
    submitted = await bench.ncba().transfer(bench.transfer(rail="pesalink", destination=OTHER_BANK))
    assert submitted.report is not None
    assert submitted.report.state == "paid"
    assert bench.balance("pesalink:11000") == "1500.00"


async def test_float_is_taken_now_and_debited_later(bench: Bench) -> None:
    bench.behave(settle_seconds=0.2)
    submitted = await bench.ncba().buy_float(bench.float_order())
    assert submitted.report is None
    assert bench.debits() == []
    await bench.until(lambda: bench.debits())
    assert bench.debits()[0]["bank_transaction_id"] == submitted.provider_reference
    assert bench.balance("float:mpesa:600999") == "50000.00"


@pytest.mark.parametrize("action", EXECUTED)
@pytest.mark.parametrize("what", ["transfer", "float"])
async def test_a_doubtful_answer_is_unknown_and_the_statement_finds_the_money(
    bench: Bench, what: str, action: str
) -> None:
    bench.fault(f"bank.{what}", action)
    bank = bench.ncba(read_timeout=1.0)
    order: Any = bench.transfer() if what == "transfer" else bench.float_order()
    error = await error_of(bank.transfer(order) if what == "transfer" else bank.buy_float(order))
    assert isinstance(error, Unknown)
    (moved,) = bench.debits()
    found = await bank.find(bench.inquiry(order))
    assert (found.state, found.receipt) == ("paid", moved["bank_transaction_id"])
    assert (found.reference, found.amount) == (REFERENCE, order.amount)


@pytest.mark.parametrize("action", NOT_EXECUTED)
async def test_where_nothing_happened_it_is_unknown_too_and_never_failed(bench: Bench, action: str) -> None:
    bench.fault("bank.transfer", action)
    bank = bench.ncba(read_timeout=1.0)
    assert isinstance(await error_of(bank.transfer(bench.transfer())), Unknown)
    found = await bank.find(bench.inquiry(bench.transfer()))
    assert (found.state, found.code) == ("pending", "not_found")
    assert bench.debits() == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [("RC01", InvalidRequest), ("SIM51", InsufficientFunds), ("SIM61", LimitExceeded)],
)
@pytest.mark.parametrize("what", ["transfer", "float"])
async def test_a_listed_code_is_a_rejection(bench: Bench, what: str, code: str, kind: type[Rejected]) -> None:
    bench.fault(f"bank.{what}", "refuse", code=code)
    bank = bench.ncba()
    error = await error_of(
        bank.transfer(bench.transfer()) if what == "transfer" else bank.buy_float(bench.float_order())
    )
    assert type(error) is kind
    assert error.extra["provider_code"] == code
    assert bench.debits() == []


async def test_an_unlisted_code_is_unknown(bench: Bench) -> None:
    bench.fault("bank.transfer", "refuse", code="SIM51")
    error = await error_of(bench.ncba(rejection_codes={}).transfer(bench.transfer()))
    assert (type(error), error.code, error.extra["provider_code"]) == (Unknown, "unlisted_code", "SIM51")


async def test_an_empty_account_is_a_lack_of_funds(bench: Bench) -> None:
    error = await error_of(bench.ncba().transfer(bench.transfer(amount=Money(60_000_000, "KES"))))
    assert isinstance(error, InsufficientFunds)


async def test_a_refused_token_is_minted_again_once_and_the_order_executed_once(bench: Bench) -> None:
    bank = bench.ncba()
    await bank.check()
    for token in bench.world.documents.all(TOKENS):
        token["until"] = 0
    await bank.transfer(bench.transfer())
    assert len(bench.debits()) == 1
    assert bench.requests[IFT] == 2
    assert bench.requests["/bank/ncba/api/v1/Auth/generate-token"] == 2


async def test_a_token_is_kept_between_calls(bench: Bench) -> None:
    bank = bench.ncba()
    for number in range(3):
        await bank.transfer(bench.transfer(f"pay_{number}-a1"))
    assert bench.requests["/bank/ncba/api/v1/Auth/generate-token"] == 1


async def test_a_fresh_token_that_is_refused_means_not_sent(bench: Bench) -> None:
    bench.behave(token_seconds=0)
    error = await error_of(bench.ncba().transfer(bench.transfer()))
    assert (type(error), error.code) == (Busy, "token_refused")
    assert bench.debits() == []


async def test_the_other_shape_of_a_token_is_read(bench: Bench) -> None:
    bench.behave(token_shape="tokenID")
    await bench.ncba().transfer(bench.transfer())
    assert len(bench.debits()) == 1


@pytest.mark.parametrize("wrong", [{"password": "guess"}, {"user_id": "X"}, {"subscription_key": "guess"}])
async def test_check_names_wrong_credentials(bench: Bench, wrong: dict[str, Any]) -> None:
    assert isinstance(await error_of(bench.ncba(**wrong).check()), NotAllowed)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"password": "guess"}, "credentials_refused"), ({"subscription_key": "guess"}, "credentials_refused")],
)
async def test_refused_credentials_are_no_verdict_on_a_transfer(bench: Bench, wrong: dict[str, Any], code: str) -> None:
    for call in (bench.ncba(**wrong).transfer(bench.transfer()), bench.ncba(**wrong).buy_float(bench.float_order())):
        error = await error_of(call)
        assert isinstance(error, Transient)
        assert (error.code, error.extra["operator_needed"]) == (code, "yes")
    assert bench.debits() == []


async def test_check_tries_the_till_too(bench: Bench) -> None:
    await bench.ncba().check()
    assert isinstance(await error_of(bench.ncba(till_password="guess").check()), NotAllowed)


async def test_a_librarys_name_is_stopped_by_the_firewall_and_ours_is_not(bench: Bench) -> None:
    error = await error_of(bench.ncba(user_agent="python-httpx/0.28").transfer(bench.transfer()))
    assert (type(error), error.code) == (Transient, "blocked_by_firewall")
    await bench.ncba().check()


async def test_a_repeated_reference_would_be_executed_again(bench: Bench) -> None:
    bank = bench.ncba()
    assert bank.capabilities.duplicate_safe is False
    for _ in range(2):
        await bank.transfer(bench.transfer())
    assert len(bench.debits()) == 2
    found = await bank.find(bench.inquiry(bench.transfer()))
    assert (found.state, found.code) == ("unclear", "debited_twice")


async def test_a_transfer_that_came_back_is_unclear(bench: Bench) -> None:
    bench.fault("bank.transfer", "reject_later", seconds=0)
    bank = bench.ncba()
    assert (await bank.transfer(bench.transfer())).report is not None
    await bench.until(lambda: bench.balance(WALLET.number) == "500000.00")
    found = await bank.find(bench.inquiry(bench.transfer()))
    assert (found.state, found.code, found.receipt) == ("unclear", "credited_back", None)


async def test_another_amount_or_a_longer_reference_is_not_ours(bench: Bench) -> None:
    bank = bench.ncba()
    await bank.transfer(bench.transfer(f"{REFERENCE}2"))
    assert (await bank.find(bench.inquiry(bench.transfer()))).code == "not_found"
    await bank.transfer(bench.transfer())
    assert (await bank.find(bench.inquiry(bench.transfer(amount=Money(1, "KES"))))).code == "not_found"


async def test_a_statement_shows_credits_and_debits(bench: Bench) -> None:
    bank = bench.ncba()
    deposited = await bench.deposit()
    moved = await bank.transfer(bench.transfer())
    today = bank_day(bench.inquiry(bench.transfer()).sent_at)
    entries = (await bank.statement(WALLET.number, today, today)).entries
    assert [(entry.bank_transaction_id, entry.direction, entry.amount.amount) for entry in entries] == [
        (deposited, "credit", "1500.00"), (moved.provider_reference, "debit", "1500.00"),
    ]  # fmt: skip
    assert entries[0].narration == "KVK-TOPUP-7F3A"


async def test_a_statement_that_is_down_is_transient(bench: Bench) -> None:
    bench.fault("bank.statement", "down")
    assert isinstance(await error_of(bench.ncba().find(bench.inquiry(bench.transfer()))), Transient)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (("429 Too Many Requests", "", "Retry-After: 3"), Throttled),
        (("403 Forbidden", '{"statusCode":403,"message":"Out of call volume quota."}'), Throttled),
        (("403 Forbidden", '{"statusCode":403,"message":"Forbidden"}'), Busy),
        (("404 Not Found", '{"statusCode":404,"message":"Resource not found"}'), Busy),
        (("401 Unauthorized", '{"statusCode":401,"message":"invalid subscription key"}'), Busy),
        (("403 Forbidden", "<html>Security Notice</html>"), Unknown),
        (("404 Not Found", "<html>no</html>"), Unknown),
        (("400 Bad Request", '{"title":"One or more validation errors occurred."}'), Unknown),
        (("400 Bad Request", '{"resultCode":"RC01"}'), InvalidRequest),
        (("400 Bad Request", '{"resultCode":"000"}'), Unknown),
        (("500 Oops", '{"resultCode":"RC01"}'), Unknown),
        (("500 Oops", '{"resultCode":"000"}'), Unknown),
        (("302 Found", "", "Location: /login"), Unknown),
        (("200 OK", ""), Unknown),
        (("200 OK", "[]"), Unknown),
        (("200 OK", "{}"), Unknown),
        (("200 OK", '{"resultCode":"000","data":{"resultCode":"999"}}'), Unknown),
        (("200 OK", '{"resErrorCode":"000"}'), Unknown),
        (("200 OK", '{"resultCode":0}'), Unknown),
        (("200 OK", '{"statusDescription":"Insufficient funds"}'), Unknown),
    ],
)
async def test_what_an_answer_proves(answer: tuple[str, ...], kind: type[KivukoError]) -> None:
    async def talk(reader: Any, writer: Any) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        told = ("200 OK", '{"accessToken":"t","tokenType":"Bearer"}') if b"generate-token" in request else answer
        head = f"HTTP/1.1 {told[0]}\r\nContent-Length: {len(told[1])}\r\nConnection: close\r\n"
        writer.write((head + "".join(f"{line}\r\n" for line in told[2:]) + f"\r\n{told[1]}").encode())
        await writer.drain()

    credentials = NcbaCredentials(user_id="u", password="p", subscription_key="k")
    async with raw_server(talk) as port, Ncba(endpoint(f"http://127.0.0.1:{port}/gw"), credentials) as bank:
        error = await error_of(bank.transfer(transfer_order()))
    assert isinstance(error, kind)
    assert ("operator_needed" in error.extra) == (kind is Busy)


async def test_nobody_listening_is_not_sent() -> None:
    credentials = NcbaCredentials(user_id="u", password="p", subscription_key="k")
    async with Ncba(endpoint(f"http://127.0.0.1:{free_port()}"), credentials) as bank:
        assert isinstance(await error_of(bank.transfer(Bench.transfer(None))), NotReached)  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [("200 OK", "<html>"), ("503 Busy", "{}"), ("200 OK", '{"token": null}')])
async def test_no_token_is_transient(answer: tuple[str, str]) -> None:
    credentials = NcbaCredentials(user_id="u", password="p", subscription_key="k")
    async with (
        raw_server(http_answer(*answer)) as port,
        Ncba(endpoint(f"http://127.0.0.1:{port}"), credentials) as bank,
    ):
        assert isinstance(await error_of(bank.check()), Transient)


@pytest.mark.parametrize(
    ("body", "bank_id"),
    [
        ({"resultCode": "000"}, None),
        ({"resultCode": "000", "TransactionID": REFERENCE}, None),
        ({"resultCode": "000", "anything": "FT26014AB12C"}, "FT26014AB12C"),
        ({"resultCode": "000", "data": {"ref": "FT26014AB12C\\BNK"}}, "FT26014AB12C"),
        ({"data": {"resultCode": "000", "ref": "FT26014AB12C"}}, "FT26014AB12C"),
    ],
)
def test_the_banks_id_is_known_by_its_form(body: Mapping[str, Any], bank_id: str | None) -> None:
    assert accepted("transfer", body, "resultCode", {}) == bank_id


async def test_no_exchange_holds_a_secret_a_token_a_name_or_a_phone_number(bench: Bench) -> None:
    bank = bench.ncba()
    await bank.check()
    await bank.transfer(bench.transfer(rail="pesalink", destination=OTHER_BANK))
    await bank.buy_float(bench.float_order("pay_2-a1"))
    await bench.deposit(payer_name="NEKESA WAFULA", payer_phone="254712000111")
    await bank.find(bench.inquiry(bench.transfer()))
    asked = await bank.prompt(bench.prompt())
    assert asked.provider_reference
    written = repr(bench.exchanges)
    tokens = [row["token"] for row in bench.world.documents.all(TOKENS)]
    assert len(tokens) == 2
    for hidden in (*tokens, PASSWORD, KEY, "Till#Pass8", "254712000111", OTHER_BANK.name, "NEKESA"):
        assert hidden not in written, hidden
    assert {exchange.operation for exchange in bench.exchanges} == {
        "token", "till.token", "transfer.pesalink", "float", "statement", "till.prompt",
    }  # fmt: skip


def test_credentials_print_no_secret_and_dump_whole() -> None:
    credentials = NcbaCredentials(user_id="u", password=PASSWORD, subscription_key=KEY)
    assert PASSWORD not in repr(credentials)
    assert KEY not in repr(credentials)
    assert NcbaCredentials.model_validate_json(credentials.model_dump_json()) == credentials
    with pytest.raises(ValueError, match="till_password") as caught:
        NcbaCredentials(user_id="u", password=PASSWORD, subscription_key=KEY, till_base_url="https://till.example")
    assert PASSWORD not in str(caught.value)
