"""Every movement of an account is pushed, in the dialects that were subscribed, and what goes wrong with that on cue."""

import json
from collections import Counter
from typing import Any

import pytest

from core.errors import NotAllowed
from core.money import Money
from providers.banking import EventKind
from tests.simulators.bank.bench import B2C, PHONE, REFERENCE, WALLET, Bench


def states(bench: Bench) -> Counter[str]:
    return Counter(row["state"] for row in bench.world.documents.all("bank.deliveries"))


@pytest.mark.parametrize("dialect", ["ncba", "reference"])
async def test_a_deposit_is_a_payment_in_both_dialects(bench: Bench, dialect: Any) -> None:
    bench.subscribe(dialect)
    transaction_id = await bench.deposit(payer_name="NEKESA WAFULA", payer_phone=PHONE.digits)
    (event,) = await bench.received(1)
    payment = event.payment
    assert payment is not None
    assert (payment.external_id, payment.account) == (transaction_id, WALLET.number)
    assert (payment.amount, payment.reference) == (Money(150_000, "KES"), "KVK-TOPUP-7F3A")
    assert (payment.payer_name, payment.payer_phone) == ("NEKESA WAFULA", PHONE)


async def test_both_dialects_of_one_account_name_the_same_payment(bench: Bench) -> None:
    bench.subscribe("ncba")
    bench.subscribe("reference")
    await bench.deposit()
    ids = {event.payment.external_id for event in await bench.received(2) if event.payment}
    assert len(ids) == 1


async def test_an_ncba_transfer_is_a_debit_here_and_a_credit_there(bench: Bench) -> None:
    bench.subscribe("ncba")
    submitted = await bench.ncba().transfer(bench.transfer())
    events = {event.account: event for event in await bench.received(2)}
    debit, credit = events[WALLET.number], events[B2C.number]
    assert (debit.kind, credit.kind) == (EventKind.debited, EventKind.credited)
    assert debit.report is not None
    assert submitted.report is not None
    assert (debit.report.reference, debit.report.amount) == (REFERENCE, Money(150_000, "KES"))
    assert debit.report.receipt == submitted.report.receipt
    assert debit.event_id != credit.event_id


async def test_ncba_float_is_told_by_its_debit_alone(bench: Bench) -> None:
    bench.subscribe("ncba")
    submitted = await bench.ncba().buy_float(bench.float_order())
    (event,) = await bench.received(1)
    assert (event.kind, event.account) == (EventKind.debited, B2C.number)
    assert event.report is not None
    assert (event.report.reference, event.report.receipt) == (REFERENCE, submitted.provider_reference)


@pytest.mark.parametrize("what", ["transfer", "float"])
async def test_the_reference_bank_tells_debit_and_result_with_one_receipt(bench: Bench, what: str) -> None:
    source = WALLET if what == "transfer" else B2C
    bench.subscribe("reference", source.number)
    bank = bench.reference()
    submitted = await (bank.transfer(bench.transfer()) if what == "transfer" else bank.buy_float(bench.float_order()))
    events = await bench.received(2)
    assert {event.kind for event in events} == {EventKind.debited, EventKind.result}
    for event in events:
        assert event.report is not None
        assert (event.report.state, event.report.reference) == ("paid", REFERENCE)
        assert event.report.receipt == submitted.provider_reference
    assert {json.loads(push.raw)["type"] for push in bench.pushes} == {"account.debited", f"{what}.settled"}


async def test_a_later_rejection_is_told_and_moves_nothing(bench: Bench) -> None:
    bench.subscribe("reference")
    bench.fault("bank.float", "reject_later", code="LIMIT_EXCEEDED")
    await bench.reference().buy_float(bench.float_order())
    (event,) = await bench.received(1)
    assert event.report is not None
    assert (event.report.state, event.report.code) == ("failed", "limit_exceeded")
    assert json.loads(bench.pushes[0].raw)["type"] == "float.rejected"
    assert bench.debits() == []


async def test_a_later_rejection_may_show_a_debit_and_its_return(bench: Bench) -> None:
    bench.subscribe("reference", WALLET.number)
    bench.fault("bank.transfer", "reject_later", debited=True)
    await bench.reference().transfer(bench.transfer())
    await bench.received(3)
    kinds = Counter(json.loads(push.raw)["type"] for push in bench.pushes)
    assert kinds == {"account.debited": 1, "account.credited": 1, "transfer.rejected": 1}
    assert bench.balance(WALLET.number) == "500000.00"


async def test_a_reversal_is_told(bench: Bench) -> None:
    bench.subscribe("reference", WALLET.number)
    bench.fault("bank.transfer", "reverse_later", seconds=0.05)
    await bench.reference().transfer(bench.transfer())
    await bench.received(4)
    kinds = Counter(json.loads(push.raw)["type"] for push in bench.pushes)
    assert kinds == {
        "account.debited": 1, "transfer.settled": 1, "account.credited": 1, "transfer.reversed": 1,
    }  # fmt: skip


async def test_an_ncba_rejection_of_float_shows_nothing_at_all(bench: Bench) -> None:
    bench.subscribe("ncba")
    bench.fault("bank.float", "reject_later")
    await bench.ncba().buy_float(bench.float_order())
    await bench.until(lambda: bench.world.documents.all("bank.orders")[0]["state"] == "REJECTED")
    assert bench.world.documents.all("bank.deliveries") == []
    assert bench.balance(B2C.number) == "100000.00"


async def test_ncba_pushes_once_even_to_a_receiver_in_trouble(bench: Bench) -> None:
    bench.subscribe("ncba")
    bench.refusing["pushes"] = 1
    await bench.deposit()
    await bench.until(lambda: states(bench) == {"given up": 1})
    assert len(bench.pushes) == 1


async def test_the_reference_bank_retries_the_same_event_until_it_is_taken(bench: Bench) -> None:
    bench.subscribe("reference")
    bench.refusing["pushes"] = 3
    await bench.deposit()
    events = await bench.received(4)
    await bench.until(lambda: states(bench) == {"done": 1})
    assert len({event.event_id for event in events}) == 1


async def test_the_reference_bank_gives_up_after_five_retries(bench: Bench) -> None:
    bench.subscribe("reference")
    bench.behave(retry_scale=0)
    bench.refusing["pushes"] = 99
    await bench.deposit()
    await bench.until(lambda: states(bench) == {"given up": 1})
    assert len(bench.pushes) == 6


async def test_a_lost_push_never_comes(bench: Bench) -> None:
    bench.subscribe("ncba")
    bench.fault("bank.push", "lose", match={"type": "account.credited"})
    await bench.deposit("1.00")
    await bench.deposit("2.00")
    (event,) = await bench.received(1)
    assert event.payment is not None
    assert event.payment.amount.amount == "2.00"
    await bench.until(lambda: states(bench) == {"lost": 1, "done": 1})


@pytest.mark.parametrize("dialect", ["ncba", "reference"])
async def test_a_doubled_push_is_one_event(bench: Bench, dialect: Any) -> None:
    bench.subscribe(dialect)
    bench.fault("bank.push", "double")
    await bench.deposit()
    first, second = await bench.received(2)
    assert first == second


async def test_a_late_push_comes_after_the_next(bench: Bench) -> None:
    bench.subscribe("ncba")
    bench.fault("bank.push", "late", seconds=0.3)
    late = await bench.deposit("1.00")
    await bench.deposit("2.00")
    events = await bench.received(2)
    assert [event.payment.external_id for event in events if event.payment][1] == late


@pytest.mark.parametrize("dialect", ["ncba", "reference"])
async def test_shuffled_pushes_change_places(bench: Bench, dialect: Any) -> None:
    bench.subscribe(dialect)
    bench.fault("bank.push", "shuffle", seconds=5)
    first = await bench.deposit("1.00")
    second = await bench.deposit("2.00")
    events = await bench.received(2)
    assert [event.payment.external_id for event in events if event.payment] == [second, first]


async def test_a_wrong_hash_of_ncba_is_refused_and_never_mended(bench: Bench) -> None:
    bench.subscribe("ncba")
    bench.fault("bank.push", "wrong_hash")
    await bench.deposit()
    await bench.until(lambda: states(bench) == {"given up": 1})
    assert len(bench.pushes) == 1
    with pytest.raises(NotAllowed):
        bench.pushes[0].event()


async def test_a_wrong_signature_of_the_reference_bank_is_refused_and_sent_again_rightly(bench: Bench) -> None:
    bench.subscribe("reference")
    bench.fault("bank.push", "wrong_hash")
    await bench.deposit()
    await bench.until(lambda: states(bench) == {"done": 1})
    wrong, right = bench.pushes
    with pytest.raises(NotAllowed):
        wrong.event()
    assert right.event().payment is not None


async def test_faults_are_matched_by_facts(bench: Bench) -> None:
    bench.subscribe("reference", WALLET.number)
    bench.fault("bank.push", "lose", match={"type": "transfer.settled", "reference": REFERENCE})
    bank = bench.reference()
    await bank.transfer(bench.transfer())
    await bank.transfer(bench.transfer("pay_2-a1"))
    await bench.received(3)
    settled = [event.report for event in await bench.received(3) if event.kind is EventKind.result]
    assert [result.reference for result in settled if result] == ["pay_2-a1"]
