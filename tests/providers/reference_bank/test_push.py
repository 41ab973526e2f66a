"""The reference bank's webhooks: the golden one, what proves it, and what every type means."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Garbled, KivukoError, NotAllowed
from core.money import Money
from providers.banking import BankEvent, EventKind, PushSecrets
from providers.reference_bank.wire import parse_push, push_reply, sign
from tests.simulators.bank.bench import GOLDEN, PHONE, REFERENCE, SECRETS

NOW = datetime(2026, 1, 14, 10, 33, 20, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
RESULT = {
    "client_reference": REFERENCE, "bank_reference": "RB2601-000417", "bank_transaction_id": "FT26014AB12C",
    "account": "1000200030", "amount": "1500.00", "currency": "KES", "reason": None,
}  # fmt: skip


def sample() -> bytes:
    return (GOLDEN / "reference_credited.json").read_bytes()


def read(raw: bytes, secrets: PushSecrets = SECRETS, *, stamp: str = STAMP, signature: str | None = None) -> BankEvent:
    headers = {"x-bank-timestamp": stamp, "X-BANK-SIGNATURE": signature or sign("kivuko-secret", stamp, raw)}
    return parse_push(raw, headers, secrets, currency="KES", now=NOW)


def event(kind: str, data: Any, **changes: Any) -> BankEvent:
    body = {"event_id": "evt_1", "type": kind, "occurred_at": "2026-01-14T10:33:09Z", "data": data, **changes}
    return read(json.dumps(body).encode())


def test_the_signature_is_an_hmac_of_time_and_body() -> None:
    # openssl: printf '1768400000.{}' | openssl dgst -sha256 -hmac kivuko-secret
    assert sign("kivuko-secret", "1768400000", b"{}") == (
        "v1=848ae99701541eef634bc2fddbb8e0910bcddd18a790d6979e98bdd34d7b52b1"
    )


def test_the_golden_credit_is_a_payment_with_all_its_facts() -> None:
    seen = read(sample())
    assert (seen.event_id, seen.kind, seen.account) == ("evt_01J9ZD", EventKind.credited, "1000200030")
    payment = seen.payment
    assert payment is not None
    assert (payment.external_id, payment.amount) == ("FT26014AB77Q", Money(150_000, "KES"))
    assert (payment.reference, payment.payer_name, payment.payer_phone) == ("KVK-TOPUP-7F3A", "WANJIKU KAMAU", PHONE)
    assert payment.happened_at == datetime(2026, 1, 14, 10, 33, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "data", "state", "code"),
    [
        ("transfer.settled", RESULT, "paid", "settled"),
        ("float.settled", RESULT, "paid", "settled"),
        ("transfer.rejected", {**RESULT, "reason": "ACCOUNT_NOT_FOUND"}, "failed", "account_not_found"),
        ("float.rejected", RESULT, "failed", "rejected"),
        ("transfer.reversed", RESULT, "failed", "reversed"),
    ],
)
def test_a_result_names_the_instruction_and_the_banks_reference(
    kind: str, data: dict[str, Any], state: str, code: str
) -> None:
    result = event(kind, data).report
    assert result is not None
    assert (result.state, result.code, result.reference) == (state, code, REFERENCE)
    assert result.provider_reference == "RB2601-000417"
    assert result.receipt == ("RB2601-000417" if state == "paid" else None)
    assert result.amount == Money(150_000, "KES")


def test_a_debit_has_the_receipt_of_its_result() -> None:
    seen = event("account.debited", {**RESULT, "reference": "words"})
    assert seen.kind is EventKind.debited
    assert seen.report is not None
    assert (seen.report.state, seen.report.reference, seen.report.receipt) == ("paid", REFERENCE, "RB2601-000417")


def test_a_debit_may_name_the_instruction_in_its_reference_alone() -> None:
    data = {**RESULT, "client_reference": None, "bank_reference": None}
    named = event("account.debited", {**data, "reference": f"x {REFERENCE} y"}).report
    fee = event("account.debited", {**data, "reference": f"{REFERENCE}2x"}).report
    assert named is not None
    assert fee is not None
    assert (named.reference, named.receipt) == (REFERENCE, "FT26014AB12C")
    assert fee.reference is None


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_time_within_the_tolerance_is_accepted(seconds: int) -> None:
    assert read(sample(), stamp=str(int(NOW.timestamp()) + seconds)).payment is not None


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_time_beyond_the_tolerance_is_refused(seconds: int) -> None:
    with pytest.raises(NotAllowed) as caught:
        read(sample(), stamp=str(int(NOW.timestamp()) + seconds))
    assert caught.value.code == "stale_push"


@pytest.mark.parametrize("signature", ["v1=", "v1=00", "x", "v1=é", sign("another", STAMP, sample())])
def test_a_wrong_signature_is_refused(signature: str) -> None:
    with pytest.raises(NotAllowed):
        read(sample(), signature=signature)


def test_a_signature_of_another_time_or_body_is_refused() -> None:
    for signature in (sign("kivuko-secret", "1", sample()), sign("kivuko-secret", STAMP, sample() + b" ")):
        with pytest.raises(NotAllowed):
            read(sample(), signature=signature)


@pytest.mark.parametrize("stamp", ["", "now", "-1", "1e9", "1" * 40])
def test_a_time_that_is_no_number_is_refused(stamp: str) -> None:
    with pytest.raises(NotAllowed):
        read(sample(), stamp=stamp)


def test_without_headers_or_secrets_nothing_is_believed() -> None:
    with pytest.raises(NotAllowed):
        parse_push(sample(), {}, SECRETS, currency="KES", now=NOW)
    with pytest.raises(NotAllowed):
        read(sample(), replace(SECRETS, secrets=()))


def test_two_secrets_are_active_while_one_is_rotated() -> None:
    assert read(sample(), replace(SECRETS, secrets=("newer", "kivuko-secret"))).payment is not None


CREDIT = json.loads((GOLDEN / "reference_credited.json").read_text(encoding="utf-8"))["data"]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("account.credited", {**CREDIT, "amount": "0.00"}), ("account.credited", {**CREDIT, "amount": "-5.00"}),
        ("account.credited", {**CREDIT, "amount": "x"}), ("account.credited", {**CREDIT, "currency": "UGX"}),
        ("account.credited", {**CREDIT, "amount": None}), ("account.credited", {**CREDIT, "bank_transaction_id": ""}),
        ("account.credited", {**CREDIT, "account": None}), ("account.closed", CREDIT), ("", CREDIT),
        ("transfer.settled", {**RESULT, "client_reference": None}), ("transfer.settled", {**RESULT, "bank_reference": ""}),
        ("account.credited", None), ("account.credited", []),
    ],
)  # fmt: skip
def test_a_signed_event_that_lacks_a_fact_is_garbled(kind: str, data: Any) -> None:
    with pytest.raises(Garbled):
        event(kind, data)


@pytest.mark.parametrize("event_id", ["", "x" * 101, "a b", "a\x1b[2J", "é"])
def test_an_event_without_a_fit_id_is_garbled(event_id: str) -> None:
    with pytest.raises(Garbled):
        event("account.credited", CREDIT, event_id=event_id)


@pytest.mark.parametrize("odd", [None, "", "x" * 10_000, "\x1b]0;owned\x07", "\u202e", 7, [], {}])
def test_cosmetic_facts_never_make_money_unreadable(odd: Any) -> None:
    cosmetic = dict.fromkeys(("reference", "payer_name", "payer_phone", "more"), odd)
    seen = event("account.credited", {**CREDIT, **cosmetic}, occurred_at=odd).payment
    assert seen is not None
    assert (seen.external_id, seen.amount, seen.happened_at) == ("FT26014AB77Q", Money(150_000, "KES"), NOW)
    assert (seen.payer_phone, len(seen.reference) <= 300, len(seen.payer_name) <= 120) == (None, True, True)
    assert (seen.reference + seen.payer_name).isprintable()


@pytest.mark.parametrize("unfit", ["x" * 5_000, "FT26014 AB77Q", "FT26014\x00AB77Q", "FT１２３４５６"])
def test_an_unfit_id_of_the_banks_is_told_and_not_booked(unfit: str) -> None:
    with pytest.raises(Garbled) as caught:
        event("account.credited", {**CREDIT, "bank_transaction_id": unfit})
    assert (caught.value.code, caught.value.detail.isprintable()) == ("unfit_receipt", True)
    result = event("transfer.settled", {**RESULT, "bank_reference": unfit}).report
    assert result is not None
    assert (result.state, result.code, result.receipt) == ("unclear", "unfit_receipt", None)
    assert len(result.detail) < 120


def test_a_body_that_is_nested_without_end_is_garbled() -> None:
    with pytest.raises(Garbled):
        read(b"[" * 60_000)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_signed_bytes_are_refused_in_our_words(raw: bytes) -> None:
    with pytest.raises(KivukoError):
        read(raw)


def test_a_body_that_is_too_long_is_refused() -> None:
    with pytest.raises(NotAllowed):
        read(b" " * 70_000)


def test_the_reply_says_whether_it_was_received() -> None:
    assert push_reply(True) == (b'{"received": true}', "application/json")
    assert json.loads(push_reply(False, "too old")[0]) == {"received": False, "detail": "too old"}


def test_a_repeat_is_the_same_event() -> None:
    later = str(int((NOW + timedelta(seconds=30)).timestamp()))
    assert read(sample()) == read(sample(), stamp=later)
