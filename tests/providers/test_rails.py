"""The rails over both banks and M-Pesa: what they refuse, what they can say at once, and when silence is an answer."""

from datetime import timedelta

import pytest

from core.clock import utc_now
from core.errors import InvalidRequest
from core.money import Money
from core.msisdn import Msisdn
from models.messages.saga.payouts import BankOrder
from models.messages.saga.reports import Report
from providers.bank_rails import BankPayouts, BankPrompts
from providers.collecting import PromptOrder, PromptQuery
from providers.daraja.rails import MpesaPayouts, MpesaPrompts
from providers.ports import CollectionRail, Destination, PayoutOrder, PayoutQuery, PayoutRail, Unanswered
from tests.providers.daraja.bench import SHORTCODE
from tests.providers.daraja.desk import Desk
from tests.simulators.bank.bench import B2C, REFERENCE, WALLET, Bench

WINDOW = timedelta(minutes=30)
PHONE = Msisdn("+254712345678")
TRANSFER = BankOrder(
    kind="bank_transfer", source_account=WALLET.number, source_name=WALLET.name, account=B2C.number, name=B2C.name
)
FLOAT = BankOrder(
    kind="float_purchase", source_account=B2C.number, source_name=B2C.name, account="600999", name="FLOAT", operator="mpesa"
)  # fmt: skip


def order(to: Destination, desk: Desk | None = None) -> PayoutOrder:
    url = desk.bench.callback_url("out", REFERENCE) if desk else "https://kivuko.example/cb"
    return PayoutOrder(REFERENCE, to, Money(150_000, "KES"), "float for Nakuru", url, url)


def query(to: Destination, *, silent_for: timedelta = timedelta(0), desk: Desk | None = None) -> PayoutQuery:
    then = utc_now() - silent_for
    url = desk.bench.callback_url("status", REFERENCE) if desk else "https://kivuko.example/cb"
    return PayoutQuery(REFERENCE, to, Money(150_000, "KES"), then, then, url)


async def reported(rail: PayoutRail, asked: PayoutQuery) -> Report:
    answer = await rail.query(asked)
    assert isinstance(answer, Report)
    return answer


@pytest.mark.parametrize("dialect", ["ncba", "reference"])
@pytest.mark.parametrize(("to", "what"), [(TRANSFER, "transfer"), (FLOAT, "float")])
async def test_a_banks_rail_moves_what_is_ordered_and_finds_it_again(
    bank: Bench, dialect: str, to: BankOrder, what: str
) -> None:
    bank.behave(settle_seconds=0.02)
    rail: PayoutRail = BankPayouts(bank.client(dialect), WINDOW)
    assert (rail.paying_account(to), rail.title) == (to.source_account, "the bank")
    accepted = await rail.send(order(to))
    assert accepted.provider_reference
    assert (accepted.report is not None) == (dialect == "ncba" and what == "transfer")
    await bank.until(lambda: len(bank.debits()) == 1)
    found = await reported(rail, query(to))
    assert (found.state, found.source, found.receipt) == ("paid", "query", accepted.provider_reference)


async def test_a_bank_that_knows_references_proves_a_failure_by_its_silence_after_the_window(bank: Bench) -> None:
    rail = BankPayouts(bank.client("reference"), WINDOW)
    early = await rail.query(query(TRANSFER, silent_for=WINDOW - timedelta(minutes=1)))
    assert (early.state, early.code) == ("pending", "not_found")
    late = await rail.query(query(TRANSFER, silent_for=WINDOW + timedelta(minutes=1)))
    assert (late.state, late.code, late.receipt) == ("failed", "not_found", None)


async def test_a_bank_without_references_proves_nothing_by_its_silence(bank: Bench) -> None:
    rail = BankPayouts(bank.client("ncba"), WINDOW)
    late = await rail.query(query(TRANSFER, silent_for=timedelta(days=2)))
    assert (late.state, late.code) == ("pending", "not_found")


async def test_mpesa_answers_a_query_by_callback(desk: Desk) -> None:
    rail: PayoutRail = MpesaPayouts(desk.client(), SHORTCODE)
    assert (rail.paying_account(PHONE), rail.title) == (SHORTCODE, "M-Pesa")
    accepted = await rail.send(order(PHONE, desk))
    assert (accepted.provider_reference is not None, accepted.report) == (True, None)
    assert await rail.query(query(PHONE, desk=desk)) is Unanswered.by_callback
    await desk.arrived("status")
    assert [row["reference"] for row in desk.bench.paid()] == [REFERENCE]


async def test_a_payout_of_v1_whose_acknowledgement_was_lost_has_nothing_to_ask_by(desk: Desk) -> None:
    rail = MpesaPayouts(desk.client(b2c_version="v1"), SHORTCODE)
    assert await rail.query(query(PHONE, desk=desk)) is Unanswered.nothing_to_ask_by
    assert not desk.bench.requests


async def refuses(rail: PayoutRail, to: Destination, desk: Desk | None = None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        rail.paying_account(to)
    assert caught.value.code == "wrong_rail"
    with pytest.raises(InvalidRequest) as caught:
        await rail.send(order(to, desk))
    assert caught.value.code == "wrong_rail"


async def test_mpesa_pays_no_bank_account(desk: Desk) -> None:
    await refuses(MpesaPayouts(desk.client(), SHORTCODE), TRANSFER, desk)
    assert not desk.bench.requests


async def test_a_bank_pays_no_phone(bank: Bench) -> None:
    await refuses(BankPayouts(bank.client("ncba"), WINDOW), PHONE)
    assert not bank.requests


async def prompted(rail: CollectionRail, wanted: PromptOrder) -> Report:
    """What the queries of a sent prompt say in the end."""
    accepted = await rail.send(wanted)
    assert accepted.provider_reference is not None
    while True:
        said = await rail.query(PromptQuery(wanted.reference, accepted.provider_reference))
        if said.state != "pending":
            return said


async def test_a_prompt_by_mpesa_is_queried_at_once(desk: Desk) -> None:
    said = await prompted(MpesaPrompts(desk.client()), desk.order())
    assert (said.state, said.source, said.receipt) == ("paid", "query", None)
    assert [row["amount"] for row in desk.collected()] == ["1500.00"]


async def test_a_prompt_by_the_banks_till_is_queried_at_once(bank: Bench) -> None:
    said = await prompted(BankPrompts(bank.client("ncba")), bank.prompt())
    assert (said.state, said.source, said.receipt) == ("paid", "query", None)
    assert bank.balance(WALLET.number) == "501500.00"


async def test_a_bank_without_a_till_prompts_nobody(bank: Bench) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await BankPrompts(bank.client("reference")).send(bank.prompt())
    assert caught.value.code == "unsupported"
