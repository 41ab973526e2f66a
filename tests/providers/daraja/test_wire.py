"""The golden samples (daraja.md 3.3 to 3.6, 7, 8) as our parsers read them, and what they must refuse to believe."""

import copy
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Garbled, KivukoError, NotAllowed, Transient
from core.money import Money
from providers.daraja.gateway import error_of
from providers.daraja.wire import (
    RESULT_CODES,
    balances_beside,
    external_id,
    parse_ack,
    parse_balance_result,
    parse_result,
    parse_status_result,
    parse_timeout_notice,
)
from tests.providers.daraja.bench import golden

REFERENCE = "kvk-7f3a9c2e51b04d6f-a1"
CONVERSATION = "AG_20261121_201036b2c9e14f77a0d8"


def result(code: Any, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = golden("result_failed")
    body["Result"] |= {"ResultCode": code, **changes}
    return body


def test_the_golden_success_is_paid_with_all_its_facts() -> None:
    read = parse_result(golden("result_paid"))
    assert (read.state, read.code, read.reference, read.provider_reference) == ("paid", "0", REFERENCE, CONVERSATION)
    assert (read.receipt, read.amount, read.party_digits) == ("UKL4X7QW2D", Money(125_000, "KES"), "254712345678")
    assert read.happened_at == datetime(2026, 11, 21, 6, 14, 3, tzinfo=UTC)
    assert balances_beside(golden("result_paid")) == {
        "Utility Account": Money(41_823_050, "KES"),
        "Working Account": Money(9_050_000, "KES"),
        "Charges Paid Account": Money(-198_000, "KES"),
    }


def test_floats_decimals_and_texts_are_read_alike() -> None:
    body = golden("result_paid")
    exact = json.loads(json.dumps(body), parse_float=Decimal)
    texts = copy.deepcopy(body)
    texts["Result"] |= {"ResultType": "0", "ResultCode": "0"}
    for item in texts["Result"]["ResultParameters"]["ResultParameter"]:
        item["Value"] = str(item["Value"])
    assert parse_result(body) == parse_result(exact) == parse_result(texts)


def test_a_failure_is_never_a_success_by_its_transaction_id() -> None:
    read = parse_result(result(2001, TransactionID="UKL4X7QW2D"))
    assert (read.state, read.receipt) == ("failed", None)
    assert read.operator_needed
    assert not read.retriable


@pytest.mark.parametrize("receipt", ["x" * 5_000, "UKL4 X7QW2D", "UKL4\x00X7QW2D", "\x1b]0;owned\x07UKL4X7QW2D", "UK"])
def test_a_success_under_an_unfit_receipt_is_unclear_and_shows_what_can_be_shown(receipt: str) -> None:
    paid = golden("result_paid")
    for item in paid["Result"]["ResultParameters"]["ResultParameter"]:
        if item["Key"] == "TransactionReceipt":
            item["Value"] = receipt
    status = golden("status_completed")
    for item in status["Result"]["ResultParameters"]["ResultParameter"]:
        if item["Key"] == "ReceiptNo":
            item["Value"] = receipt
    alone = result(0, TransactionID=receipt, ResultParameters={})
    for read in (parse_result(paid), parse_status_result(status), parse_result(alone)):
        assert (read.state, read.code, read.receipt) == ("unclear", "unfit_receipt", None)
        assert read.detail.isprintable()
        assert len(read.detail) < 130


def test_receipts_are_capitals_and_ids_are_bounded() -> None:
    assert parse_result(result(0, TransactionID="ukl4x7qw2d", ResultParameters={})).receipt == "UKL4X7QW2D"
    odd = "\x1b[31m" + "y" * 5_000
    read = parse_result(result(2001, OriginatorConversationID=odd, ConversationID=odd))
    assert read.reference == read.provider_reference == "y" * 100


def test_a_success_without_any_receipt_is_unclear() -> None:
    assert parse_result(result(0, TransactionID="")).state == "unclear"


@pytest.mark.parametrize("kind", [1, "1", 2])
@pytest.mark.parametrize("code", [0, 2001])
def test_a_message_that_announces_more_is_pending(kind: Any, code: int) -> None:
    assert parse_result(result(code, ResultType=kind)).state == "pending"


@pytest.mark.parametrize("code", [15, "15", 17, 26, 100000000, 100000001, 100000005, 100000010, 4242, "R000009", 2033])
def test_a_code_that_does_not_prove_failure_is_unclear(code: Any) -> None:
    read = parse_result(result(code))
    assert (read.state, read.code) == ("unclear", str(code))


@pytest.mark.parametrize(("code", "meaning"), [(code, m) for code, m in RESULT_CODES.items() if m.moved is False])
def test_a_listed_failure_is_failed_whether_number_or_text(code: str, meaning: Any) -> None:
    for form in (code, int(code) if code.isdigit() else code):
        read = parse_result(result(form))
        assert (read.state, read.code, read.receipt) == ("failed", code, None)
        assert (read.retriable, read.operator_needed) == (meaning.retriable, meaning.operator_needed)


def test_only_code_0_says_that_money_moved() -> None:
    assert [code for code, meaning in RESULT_CODES.items() if meaning.moved] == ["0"]
    assert {code for code, m in RESULT_CODES.items() if m.operator_needed} >= {
        "2001", "8006", "TP40153", "21", "11", "2006", "2028", "18", "20",
    }  # fmt: skip
    assert not [code for code, m in RESULT_CODES.items() if m.operator_needed and m.retriable]


def test_a_single_parameter_object_is_read() -> None:
    read = parse_result(golden("result_single_parameter"))
    assert (read.state, read.code, read.operator_needed) == ("failed", "TP40153", True)


@pytest.mark.parametrize("name", ["timeout_notice_flat", "timeout_notice_envelope"])
def test_both_timeout_notices_are_unclear_and_name_the_reference(name: str) -> None:
    read = parse_timeout_notice(golden(name))
    assert (read.state, read.reference) == ("unclear", REFERENCE)


def test_a_success_sent_to_the_timeout_address_is_still_unclear() -> None:
    assert parse_timeout_notice(golden("result_paid")).state == "unclear"


@pytest.mark.parametrize("name", ["status_completed", "status_completed_repeated_party"])
def test_a_completed_status_is_paid_with_the_payments_own_ids(name: str) -> None:
    read = parse_status_result(golden(name))
    assert (read.state, read.code, read.reference, read.provider_reference) == (
        "paid", "Completed", REFERENCE, CONVERSATION,
    )  # fmt: skip
    assert (read.receipt, read.amount, read.party_digits) == ("UKL4X7QW2D", Money(125_000, "KES"), "254712345678")
    assert read.happened_at == datetime(2026, 11, 21, 6, 14, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Initiated", "pending"), ("Authorized", "pending"), ("Pending Authorized", "pending"), ("Cancelled", "failed"),
        ("Declined", "failed"), ("Expired", "failed"), ("Reversed", "unclear"), ("", "unclear"),
    ],
)  # fmt: skip
def test_the_verdict_is_the_transaction_status_not_the_envelope(status: str, state: str) -> None:
    body = golden("status_completed")
    for item in body["Result"]["ResultParameters"]["ResultParameter"]:
        if item["Key"] == "TransactionStatus":
            item["Value"] = status
    read = parse_status_result(body)
    assert (read.state, read.receipt) == (state, None)


def test_completed_without_a_receipt_is_unclear() -> None:
    body = golden("status_completed")
    items = body["Result"]["ResultParameters"]["ResultParameter"]
    items[:] = [item for item in items if item["Key"] != "ReceiptNo"]
    assert parse_status_result(body).state == "unclear"


def test_a_failed_query_proves_nothing_and_names_no_payment() -> None:
    read = parse_status_result(golden("status_query_failed"))
    assert (read.state, read.code, read.reference) == ("unclear", "SFC_IC0003", None)


def test_a_balance_is_the_available_part_of_each_account() -> None:
    assert parse_balance_result(golden("balance")) == {
        "Working Account": Money(9_050_000, "KES"),
        "Utility Account": Money(40_023_050, "KES"),
        "Charges Paid Account": Money(-198_000, "KES"),
    }


def test_a_failed_balance_query_is_an_error_and_a_garbled_one_too() -> None:
    with pytest.raises(NotAllowed):
        parse_balance_result(result("2001"))
    with pytest.raises(Transient):
        parse_balance_result(result("17"))
    with pytest.raises(Garbled):
        parse_balance_result(result("0"))


def test_the_golden_acknowledgement_is_read_and_empty_fields_are_not_one() -> None:
    assert parse_ack(golden("ack")).conversation_id == CONVERSATION
    others: list[Any] = [golden("ack_empty_fields"), {}, [], None, "ok", {**golden("ack"), "ResponseCode": 1}]
    for body in others:
        with pytest.raises(Garbled):
            parse_ack(body)


@pytest.mark.parametrize("sample", golden("errors"), ids=lambda sample: str(sample["shape"]))
@pytest.mark.parametrize("version", ["v3", "v1"])
def test_every_error_shape_is_sorted(sample: dict[str, Any], version: str) -> None:
    try:
        body = json.loads(sample["text"])
    except ValueError:
        body = None
    safe = version == "v3"
    error: KivukoError = error_of("b2c.send", sample["status"], body, {}, effect="money", same_reference_is_safe=safe)
    assert error.code == sample[version]
    assert "254712345678" not in error.detail


@pytest.mark.parametrize("body", [None, [], "text", 7, {}, {"Result": None}, {"Result": []}, {"Result": {}}])
def test_what_is_not_the_protocols_is_garbled(body: object) -> None:
    for parse in (parse_result, parse_status_result, parse_balance_result, parse_timeout_notice):
        with pytest.raises(Garbled):
            parse(body)


def test_the_inbox_id_is_equal_for_repeats_and_differs_for_contradictions() -> None:
    paid = golden("result_paid")
    as_text = copy.deepcopy(paid)
    as_text["Result"] |= {"ResultCode": "0", "ResultType": "0"}
    failed, waiting = copy.deepcopy(paid), copy.deepcopy(paid)
    failed["Result"]["ResultCode"] = 1
    waiting["Result"]["ResultType"] = 1
    assert external_id("result", paid) == external_id("result", as_text)
    ids = {external_id("result", body) for body in (paid, failed, waiting)} | {external_id("status", paid)}
    assert len(ids) == 4
    assert all("254712345678" not in text and len(text) <= 200 for text in ids)


def test_timeout_notices_of_v1_without_an_id_are_told_apart_by_their_address() -> None:
    one = golden("timeout_notice_flat")
    del one["OriginatorConversationID"]
    two = {**one, "ResultURL": one["ResultURL"] + "1"}
    assert external_id("timeout", one) != external_id("timeout", two)
    assert external_id("timeout", one) == external_id("timeout", dict(one))
    assert "254712345678" not in external_id("timeout", one)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["Key", "Value", "ResultParameter", "Result", "ResultCode", "ResultType"]), inner, max_size=4
    ),
    max_leaves=12,
)  # fmt: skip


@given(
    code=JSON, kind=JSON, parameters=JSON, key=st.sampled_from(["TransactionAmount", "AccountBalance", "Amount"]),
    value=JSON,
)  # fmt: skip
def test_no_body_makes_a_parser_raise_anything_but_our_errors(
    code: Any, kind: Any, parameters: Any, key: str, value: Any
) -> None:
    for holder in (parameters, {"ResultParameter": [{"Key": key, "Value": value}, parameters]}):
        body: dict[str, Any] = {"Result": {"ResultCode": code, "ResultType": kind, "ResultParameters": holder}}
        for parse in (parse_result, parse_status_result, parse_balance_result, parse_timeout_notice):
            try:
                parse(body)
            except (Garbled, NotAllowed, Transient):
                continue
        external_id("result", body)
