"""The reference bank's client against the simulated bank, judged by the books."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from core.errors import (
    Busy,
    InsufficientFunds,
    InvalidRequest,
    KivukoError,
    LimitExceeded,
    NotAllowed,
    NotFound,
    NotReached,
    Rejected,
    Throttled,
    Transient,
    Unknown,
)
from core.money import Money
from providers.banking import BankAccount, BankPort, bank_day, closing_balance
from providers.collecting import PromptQuery
from providers.reference_bank.client import ReferenceBank
from providers.reference_bank.requests import ReferenceBankCredentials
from tests.providers.message_servers import endpoint, free_port, http_answer, raw_server
from tests.simulators.bank.bench import B2C, REFERENCE, TOKEN, WALLET, Bench, transfer_order

OTHER_BANK = BankAccount("01109876543210", "A Otieno", "11")
EXECUTED = (
    "paid_but_answered_otherwise",
    "timeout_after_execution",
    "drop_after_debit",
    "server_error_after",
    "not_json",
)


async def error_of(call: Any) -> KivukoError:
    with pytest.raises(KivukoError) as caught:
        await call
    return caught.value


async def test_a_transfer_is_accepted_then_settled_and_found(bench: Bench) -> None:
    bench.behave(settle_seconds=0.3)
    bank: BankPort = bench.reference()
    order = bench.transfer(rail="pesalink", destination=OTHER_BANK)
    submitted = await bank.transfer(order)
    assert submitted.provider_reference is not None
    assert submitted.report is None
    found = await bank.find(bench.inquiry(order))
    assert (found.state, found.code, found.receipt) == ("pending", "accepted", None)
    await bench.until(lambda: bench.debits())
    found = await bank.find(bench.inquiry(order))
    assert (found.state, found.receipt) == ("paid", submitted.provider_reference)
    assert found.happened_at is not None
    assert bench.balance("pesalink:11") == "1500.00"


@pytest.mark.parametrize("operator", ["mpesa", "airtel", "mtn"])
async def test_float_of_every_operator_is_bought(bench: Bench, operator: Any) -> None:
    bank = bench.reference()
    order = bench.float_order(operator=operator, float_account="KVK-COLL")
    await bank.buy_float(order)
    await bench.until(lambda: bench.balance(f"float:{operator}:KVK-COLL") == "50000.00")
    assert (await bank.find(bench.inquiry(order))).state == "paid"
    assert operator in bank.capabilities.float_operators


@pytest.mark.parametrize("action", EXECUTED)
@pytest.mark.parametrize("what", ["transfer", "float"])
async def test_a_doubtful_answer_is_unknown_is_found_and_may_be_repeated(bench: Bench, what: str, action: str) -> None:
    bench.fault(f"bank.{what}", action)
    bank = bench.reference(read_timeout=1.0)
    order: Any = bench.transfer() if what == "transfer" else bench.float_order()
    send: Any = bank.transfer if what == "transfer" else bank.buy_float
    assert isinstance(await error_of(send(order)), Unknown)
    assert (await bank.find(bench.inquiry(order))).state == "paid"
    assert (await send(order)).provider_reference
    assert len(bench.debits()) == 1


@pytest.mark.parametrize("action", ["timeout_before", "server_error_before"])
async def test_where_nothing_happened_the_bank_does_not_know_the_reference(bench: Bench, action: str) -> None:
    bench.fault("bank.transfer", action)
    bank = bench.reference(read_timeout=1.0)
    assert isinstance(await error_of(bank.transfer(bench.transfer())), Unknown)
    found = await bank.find(bench.inquiry(bench.transfer()))
    assert (found.state, found.code) == ("pending", "not_found")
    await bank.transfer(bench.transfer())
    await bench.until(lambda: bench.debits())


async def test_the_same_instruction_at_once_is_executed_once(bench: Bench) -> None:
    bank = bench.reference()
    told = await asyncio.gather(*(bank.transfer(bench.transfer()) for _ in range(5)))
    await bench.until(lambda: bench.debits())
    assert len({submitted.provider_reference for submitted in told}) == 1
    assert len(bench.debits()) == 1


async def test_another_instruction_of_a_reference_is_unknown_because_the_first_may_have_happened(bench: Bench) -> None:
    bank = bench.reference()
    await bank.transfer(bench.transfer())
    error = await error_of(bank.transfer(bench.transfer(amount=Money(100, "KES"))))
    assert (type(error), error.code) == (Unknown, "reference_conflict")
    assert (await bank.find(bench.inquiry(bench.transfer()))).state in ("pending", "paid")


@pytest.mark.parametrize(
    ("code", "kind"),
    [("INSUFFICIENT_FUNDS", InsufficientFunds), ("ACCOUNT_NOT_FOUND", NotFound), ("LIMIT_EXCEEDED", LimitExceeded),
     ("UNSUPPORTED_OPERATOR", InvalidRequest), ("INVALID_REQUEST", InvalidRequest), ("SOMETHING_NEW", Unknown)],
)  # fmt: skip
async def test_a_listed_refusal_is_a_rejection_and_an_unlisted_one_is_not(
    bench: Bench, code: str, kind: type[KivukoError]
) -> None:
    bench.fault("bank.float", "refuse", code=code)
    error = await error_of(bench.reference().buy_float(bench.float_order()))
    assert isinstance(error, kind)
    if isinstance(error, Rejected):
        assert error.extra["provider_code"] == code
    assert (error.code == "unsupported_operator") is (code == "UNSUPPORTED_OPERATOR")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"amount": Money(60_000_000, "KES")}, InsufficientFunds),
        ({"source": BankAccount("1000299999", "X")}, NotFound),
        ({"destination": BankAccount("1000299999", "X")}, NotFound),
        ({"rail": "pesalink", "destination": OTHER_BANK, "amount": Money(100, "KES")}, LimitExceeded),
    ],
)
async def test_the_banks_own_rules(bench: Bench, changes: dict[str, Any], kind: type[Rejected]) -> None:
    assert type(await error_of(bench.reference().transfer(bench.transfer(**changes)))) is kind


async def test_money_of_accepted_orders_is_reserved(bench: Bench) -> None:
    bench.behave(settle_seconds=5)
    bank = bench.reference()
    await bank.buy_float(bench.float_order("pay_1-a1", amount=Money(9_000_000, "KES")))
    error = await error_of(bank.buy_float(bench.float_order("pay_2-a1", amount=Money(2_000_000, "KES"))))
    assert isinstance(error, InsufficientFunds)


@pytest.mark.parametrize("debited", [False, True])
async def test_a_later_rejection_is_failed_with_its_reason(bench: Bench, debited: bool) -> None:
    bench.fault("bank.float", "reject_later", code="LIMIT_EXCEEDED", debited=debited)
    bank, inquiry = bench.reference(), bench.inquiry(bench.float_order())
    await bank.buy_float(bench.float_order())
    found = await bank.find(inquiry)
    while found.state == "pending":
        found = await bank.find(inquiry)
    assert (found.state, found.code) == ("failed", "limit_exceeded")
    assert bench.balance(B2C.number) == "100000.00"


async def test_a_reversal_is_failed_as_reversed(bench: Bench) -> None:
    bench.fault("bank.transfer", "reverse_later", seconds=0.05)
    bank, inquiry = bench.reference(), bench.inquiry(bench.transfer())
    await bank.transfer(bench.transfer())
    seen = set()
    while "reversed" not in seen:
        seen.add((await bank.find(inquiry)).code)
    assert (await bank.find(inquiry)).state == "failed"
    assert bench.balance(WALLET.number) == "500000.00"


@pytest.mark.parametrize(("action", "what"), [("down", Transient), ("not_found", "not_found")])
async def test_an_inquiry_that_fails_is_never_a_failed_payout(
    bench: Bench, action: str, what: str | type[KivukoError]
) -> None:
    bank = bench.reference()
    await bank.transfer(bench.transfer())
    bench.fault("bank.find", action)
    if isinstance(what, str):
        found = await bank.find(bench.inquiry(bench.transfer()))
        assert (found.state, found.code) == ("pending", what)
    else:
        assert isinstance(await error_of(bank.find(bench.inquiry(bench.transfer()))), what)


async def test_a_transfer_is_not_found_as_float(bench: Bench) -> None:
    bank = bench.reference()
    await bank.transfer(bench.transfer())
    assert (await bank.find(replace(bench.inquiry(bench.transfer()), what="float"))).code == "not_found"


async def test_a_statement_is_read_over_all_its_pages(bench: Bench) -> None:
    bench.behave(page_size=2)
    bank = bench.reference()
    deposited = [await bench.deposit(amount) for amount in ("1.00", "2.00", "3.00", "4.00")]
    await bank.transfer(bench.transfer())
    await bench.until(lambda: bench.debits())
    today = bank_day(bench.inquiry(bench.transfer()).sent_at)
    entries = (await bank.statement(WALLET.number, today, today)).entries
    assert [entry.bank_transaction_id for entry in entries[:4]] == deposited
    assert [(entry.direction, entry.amount.amount) for entry in entries[3:]] == [
        ("credit", "4.00"),
        ("debit", "1500.00"),
    ]
    assert REFERENCE in entries[4].narration
    assert closing_balance(entries) == entries[-1].balance is not None
    assert bench.requests[f"/bank/reference/v1/accounts/{WALLET.number}/entries"] == 3


async def test_a_statement_that_is_down_is_transient(bench: Bench) -> None:
    bench.fault("bank.statement", "down")
    today = bank_day(bench.inquiry(bench.transfer()).sent_at)
    assert isinstance(await error_of(bench.reference().statement(WALLET.number, today, today)), Transient)


ROW = {"bank_transaction_id": "FT26014AB12C", "direction": "CREDIT", "amount": "1.00", "currency": "KES", "narration": "",
       "value_time": "2026-01-14T10:33:09Z"}  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    ['{"entries": null}', "[]", "<html>", '{"entries": [], "next_cursor": "1"}', "[" * 100_000],
)
async def test_what_holds_no_list_of_lines_is_no_statement(bench: Bench, answer: str) -> None:
    today = bank_day(bench.inquiry(bench.transfer()).sent_at)
    async with raw_server(http_answer("200 OK", answer)) as port, client(port) as bank:
        assert isinstance(await error_of(bank.statement("1000200030", today, today)), Transient)


@pytest.mark.parametrize(
    "torn", [1, {}, *({**ROW, key: ""} for key in ROW if key != "narration"), {**ROW, "amount": "1e3"},
             {**ROW, "bank_transaction_id": "x" * 5_000}, {**ROW, "amount": "-1.00"}],
    ids=lambda row: repr(row)[:20],
)  # fmt: skip
async def test_a_line_that_cannot_be_read_hides_none_of_the_others(bench: Bench, torn: Any) -> None:
    today = bank_day(bench.inquiry(bench.transfer()).sent_at)
    answer = json.dumps({"entries": [ROW, torn, {**ROW, "bank_transaction_id": "FT26014AB12D"}]})
    async with raw_server(http_answer("200 OK", answer)) as port, client(port) as bank:
        found = await bank.statement("1000200030", today, today)
    assert [entry.bank_transaction_id for entry in found.entries] == ["FT26014AB12C", "FT26014AB12D"]
    (row,) = found.unreadable
    assert (row.reason, len(row.detail) < 200) == ("unreadable", True)


def client(port: int) -> ReferenceBank:
    return ReferenceBank(endpoint(f"http://127.0.0.1:{port}"), ReferenceBankCredentials(token="t"))


ACCEPTED = f'{{"client_reference":"{REFERENCE}","bank_reference":"RB1","state":"ACCEPTED"}}'


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (("429 Slow", "", "Retry-After: 3"), Throttled), (("401 No", '{"code":"UNAUTHORIZED"}'), Busy),
        (("401 No", "<html>"), Unknown), (("403 No", "{}"), Unknown), (("404 No", '{"code":"NOT_FOUND"}'), Unknown),
        (("400 Bad", '{"code":"LIMIT_EXCEEDED"}'), Unknown), (("500 Oops", ACCEPTED), Unknown),
        (("500 Oops", '{"code":"LIMIT_EXCEEDED"}'), Unknown), (("302 Found", "", "Location: /x"), Unknown),
        (("409 Conflict", "{}"), Unknown), (("200 OK", "{}"), Unknown), (("202 OK", ""), Unknown),
        (("202 OK", ACCEPTED.replace(REFERENCE, "pay_other-a1")), Unknown),
        (("202 OK", ACCEPTED.replace("RB1", "")), Unknown), (("202 OK", ACCEPTED.replace("ACCEPTED", "?")), Unknown),
    ],
)  # fmt: skip
async def test_what_an_answer_proves(answer: tuple[str, ...], kind: type[KivukoError]) -> None:
    async with raw_server(http_answer(*answer)) as port, client(port) as bank:
        assert isinstance(await error_of(bank.transfer(transfer_order())), kind)


async def test_the_raw_acceptance_is_one() -> None:
    async with raw_server(http_answer("202 Accepted", ACCEPTED)) as port, client(port) as bank:
        assert (await bank.transfer(transfer_order())).provider_reference == "RB1"


async def test_nobody_listening_is_not_sent() -> None:
    async with client(free_port()) as bank:
        assert isinstance(await error_of(bank.transfer(transfer_order())), NotReached)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"reference": "a b"}, "reference"), ({"reference": "../x"}, "reference"), ({"amount": Money(0, "KES")}, "amount"),
     ({"rail": "pesalink"}, "bank_code")],
)  # fmt: skip
async def test_what_cannot_be_carried_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    async with client(free_port()) as bank:
        error = await error_of(bank.transfer(transfer_order(**changes)))
    assert isinstance(error, InvalidRequest)
    assert error.extra["field"] == field


async def test_a_refused_token_is_no_verdict_on_a_transfer(bench: Bench) -> None:
    error = await error_of(bench.reference(token="guess").transfer(bench.transfer()))
    assert isinstance(error, Transient)
    assert (error.code, error.extra["operator_needed"]) == ("credentials_refused", "yes")
    assert bench.debits() == []


async def test_texts_are_bounded_and_one_line(bench: Bench) -> None:
    destination = replace(bench.transfer().destination, name="A\x1b[2J Otieno\n" + "x" * 5_000)
    await bench.reference().transfer(bench.transfer(destination=destination, narration="one\ntwo\u202e" + "y" * 5_000))
    (sent,) = [exchange.request for exchange in bench.exchanges if exchange.operation == "transfer"]
    assert sent["narration"].startswith("one two")
    assert len(sent["narration"]) == 200


async def test_check_passes_with_the_token_and_names_a_wrong_one(bench: Bench) -> None:
    await bench.reference().check()
    assert isinstance(await error_of(bench.reference(token="guess").check()), NotAllowed)
    async with client(free_port()) as bank:
        assert isinstance(await error_of(bank.check()), NotReached)
    async with raw_server(http_answer("404 Not Found", "<html>")) as port, client(port) as bank:
        assert isinstance(await error_of(bank.check()), Transient)


async def test_payers_cannot_be_prompted(bench: Bench) -> None:
    bank = bench.reference()
    for call in (bank.prompt(bench.prompt()), bank.query_prompt(PromptQuery("a", "b"))):
        error = await error_of(call)
        assert (type(error), error.code) == (InvalidRequest, "unsupported")


async def test_no_exchange_holds_the_token_or_a_payers_phone(bench: Bench) -> None:
    bank = bench.reference()
    await bank.transfer(bench.transfer(rail="pesalink", destination=OTHER_BANK))
    await bench.deposit(narration="TOP 254712000111", payer_name="NEKESA WAFULA")
    today = bank_day(bench.inquiry(bench.transfer()).sent_at)
    await bank.statement(WALLET.number, today, today)
    written = repr(bench.exchanges)
    assert TOKEN not in repr(ReferenceBankCredentials(token=TOKEN))
    for hidden in (TOKEN, "254712000111", "NEKESA", OTHER_BANK.name):
        assert hidden not in written
    assert [exchange.reference for exchange in bench.exchanges] == [REFERENCE, None]
