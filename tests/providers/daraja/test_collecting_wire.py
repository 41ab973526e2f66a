"""The golden samples of money that comes in, as our parsers read them, and what they must refuse to believe."""

import copy
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Garbled
from core.money import Money
from core.msisdn import Msisdn
from providers.daraja.pull import PullPage, parse_pull_page, parse_pull_registration
from providers.daraja.stk import parse_stk_ack, parse_stk_query
from providers.daraja.wire import (
    C2B_CONFIRMED,
    STK_FAILURES,
    C2bRefusal,
    DarajaCredentials,
    balances_beside,
    c2b_accept,
    c2b_reject,
    external_id,
    parse_c2b,
    parse_reversal_result,
    parse_stk_callback,
    scrub,
)
from tests.providers.daraja.bench import PHONE, golden
from tests.providers.daraja.desk import PASSKEY, Desk

CHECKOUT = "ws_CO_211120260914021712345678"
MOMENT = datetime(2026, 11, 21, 6, 14, 55, tzinfo=UTC)
PRIVATE = (PHONE.digits, PHONE.digits[-9:], "WANJIRU", "ACHIENG", "OTIENO")


def prompt(code: Any, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = golden("stk_callback_paid")
    body["Body"]["stkCallback"] |= {"ResultCode": code, **changes}
    return body


def items_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = body["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
    return items


# ------------------------------------------------------------------------------------------------------------ prompts


def test_the_golden_payment_is_paid_with_all_its_facts() -> None:
    read = parse_stk_callback(golden("stk_callback_paid"))
    assert (read.state, read.code, read.provider_reference) == ("paid", "0", CHECKOUT)
    assert (read.receipt, read.amount, read.party_digits) == ("UKL7Z3KD9P", Money(150_000, "KES"), PHONE.digits)
    assert read.happened_at == datetime(2026, 11, 21, 6, 14, 19, tzinfo=UTC)


def test_items_are_read_by_name_whatever_their_order_and_form() -> None:
    plain = golden("stk_callback_paid")
    exact = json.loads(json.dumps(plain), parse_float=Decimal)
    texts = copy.deepcopy(plain)
    for item in items_of(texts):
        item |= {"Value": str(item["Value"])} if "Value" in item else {}
    texts["Body"]["stkCallback"]["ResultCode"] = "0"
    backwards = copy.deepcopy(plain)
    items_of(backwards).reverse()
    read = parse_stk_callback(plain)
    assert all(parse_stk_callback(body) == read for body in (exact, texts, backwards))
    assert external_id("asked", plain) == external_id("asked", texts) == external_id("asked", backwards)


def test_the_golden_failure_has_no_payment_in_it() -> None:
    read = parse_stk_callback(golden("stk_callback_cancelled"))
    assert (read.state, read.code, read.provider_reference) == ("failed", "1032", CHECKOUT)
    assert (read.receipt, read.amount, read.party_digits, read.happened_at) == (None, None, None, None)


@pytest.mark.parametrize("code", STK_FAILURES)
def test_a_final_code_is_failed_whether_number_or_text_and_names_no_receipt(code: str) -> None:
    for form in (code, int(code) if code.isdigit() else code):
        read = parse_stk_callback(prompt(form))
        assert (read.state, read.code, read.receipt) == ("failed", code, None)


@pytest.mark.parametrize(
    ("code", "state"), [(1036, "unclear"), ("4242", "unclear"), (26, "unclear"), (4999, "pending")]
)
def test_a_code_that_is_not_final_is_not_failed(code: Any, state: str) -> None:
    assert parse_stk_callback(prompt(code)).state == state


def test_a_success_without_a_receipt_is_unclear() -> None:
    body = prompt(0)
    del body["Body"]["stkCallback"]["CallbackMetadata"]
    assert parse_stk_callback(body).state == "unclear"
    one = prompt(0, CallbackMetadata={"Item": {"Name": "MpesaReceiptNumber", "Value": "UKL7Z3KD9P"}})
    assert (parse_stk_callback(one).state, parse_stk_callback(one).receipt) == ("paid", "UKL7Z3KD9P")


def test_an_acknowledgement_needs_its_id_and_code_0() -> None:
    assert parse_stk_ack(golden("stk_ack")).provider_reference == CHECKOUT
    for change in ({"CheckoutRequestID": ""}, {"ResponseCode": "1"}, {"errorCode": "500.001.1001"}):
        with pytest.raises(Garbled):
            parse_stk_ack({**golden("stk_ack"), **change})


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"ResultCode": "1032"}, "failed"), ({"ResultCode": 4999}, "pending"), ({"ResultCode": "1036"}, "unclear"),
        ({"ResultCode": ""}, "pending"), ({"ResultCode": None}, "pending"), ({"ResultCode": "500.001.1001"}, "pending"),
        ({"ResultCode": "0"}, "paid"),
    ],
)  # fmt: skip
def test_a_querys_verdict_is_its_result_code(body: dict[str, Any], state: str) -> None:
    read = parse_stk_query({**golden("stk_query_paid"), **body}, CHECKOUT)
    assert read is not None
    assert (read.state, read.receipt) == (state, None)


@pytest.mark.parametrize("message", ["", None, "The transaction does not Exist", "The transaction is being processed"])
def test_500_001_1001_on_a_query_is_no_answer_whatever_its_text(message: str | None) -> None:
    read = parse_stk_query({"requestId": "1", "errorCode": "500.001.1001", "errorMessage": message}, CHECKOUT)
    assert read is not None
    assert read.state == "pending"


@pytest.mark.parametrize("body", [None, [], "text", {"errorCode": "400.002.02"}, {"fault": {"faultstring": "x"}}])
def test_what_is_no_answer_of_the_query_is_not_read(body: object) -> None:
    assert parse_stk_query(body, CHECKOUT) is None


@pytest.mark.parametrize("named", ["ws_CO_211120260914021712345679", "", None, 7])
@pytest.mark.parametrize("code", ["0", "1032"])
def test_a_verdict_that_does_not_name_the_prompt_is_no_answer(named: Any, code: str) -> None:
    body = {**golden("stk_query_paid"), "ResultCode": code, "CheckoutRequestID": named}
    read = parse_stk_query(body, CHECKOUT)
    assert read is not None
    assert (read.state, read.code) == ("pending", "other_prompt")


# -------------------------------------------------------------------------------------------------------- paybill, pull


@pytest.mark.parametrize(
    ("name", "phone", "payer"),
    [("c2b_masked", None, "WANJIRU"), ("c2b_hashed", None, ""), ("c2b_clear", PHONE, "WANJIRU ACHIENG OTIENO")],
)
def test_an_announcement_is_read_with_whatever_it_shows_of_the_payer(
    name: str, phone: Msisdn | None, payer: str
) -> None:
    read = parse_c2b(golden(name))
    assert (read.external_id, read.account, read.amount) == ("UKL9M2T4VC", "600984", Money(150_000, "KES"))
    assert (read.reference, read.happened_at) == ("INV-2231", MOMENT)
    assert (read.payer_phone, read.payer_name) == (phone, payer)


@pytest.mark.parametrize(
    "change",
    [
        {"TransID": ""}, {"TransID": None}, {"BusinessShortCode": ""}, {"TransAmount": "x"}, {"TransAmount": "-5"},
        {"TransAmount": "0.00"}, {"TransAmount": None}, {"TransAmount": "1e3"}, {"TransAmount": "１５００"},
        {"TransAmount": Decimal("1e200000")}, {"TransAmount": "99999999999.00"}, {"BusinessShortCode": "x" * 5_000},
    ],
)  # fmt: skip
def test_an_announcement_without_what_makes_a_payment_is_garbled(change: dict[str, Any]) -> None:
    with pytest.raises(Garbled):
        parse_c2b({**golden("c2b_masked"), **change})


ODD_TEXTS: list[Any] = [
    None, "", "yesterday", "x" * 100_000, "\x1b[31m\x07", "\u202e", 7, {}, [], True, "２０２６１１２１０９１４５５x",
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_TEXTS, ids=lambda value: repr(value)[:12])
def test_receipt_amount_and_short_code_are_a_payment_whatever_the_rest_holds(odd: Any) -> None:
    needed = {name: golden("c2b_masked")[name] for name in ("TransID", "TransAmount", "BusinessShortCode")}
    cosmetic = golden("c2b_masked").keys() - needed.keys()
    for body in (needed, {**needed, **dict.fromkeys(cosmetic, odd)}):
        read = parse_c2b(body, MOMENT)
        assert (read.external_id, read.amount, read.happened_at) == ("UKL9M2T4VC", Money(150_000, "KES"), MOMENT)
        assert len(read.reference) <= 100
        assert len(read.payer_name) <= 120
        assert read.payer_phone is None
        assert (read.reference + read.payer_name).isprintable()


@pytest.mark.parametrize(
    "receipt", ["x" * 5_000, "UKL9 M2T4VC", "UKL9\x00M2T4VC", "UKL9\x1b[2JM2T4VC", "ＵＫＬ９Ｍ２Ｔ４", "UKL"]
)
def test_money_under_an_unfit_receipt_is_told_with_what_can_be_shown_of_it(receipt: str) -> None:
    with pytest.raises(Garbled) as caught:
        parse_c2b({**golden("c2b_masked"), "TransID": receipt})
    assert caught.value.code == "unfit_receipt"
    assert caught.value.detail.isprintable()
    assert len(caught.value.detail) < 160
    read = parse_stk_callback(with_receipt(receipt))
    assert (read.state, read.code, read.receipt) == ("unclear", "unfit_receipt", None)
    assert read.detail.isprintable()
    assert len(read.detail) < 160


def with_receipt(receipt: str) -> dict[str, Any]:
    body = prompt(0)
    items_of(body)[:] = [{"Name": "MpesaReceiptNumber", "Value": receipt}, {"Name": "Amount", "Value": 1500}]
    return body


def test_a_receipt_in_small_letters_is_the_same_receipt() -> None:
    assert parse_c2b({**golden("c2b_masked"), "TransID": "ukl9m2t4vc"}).external_id == "UKL9M2T4VC"
    assert parse_stk_callback(with_receipt("ukl7z3kd9p")).receipt == "UKL7Z3KD9P"


def respelt(value: Any) -> Any:
    """The same body with blanks in its keys and their letters in another case."""
    if isinstance(value, dict):
        return {f" {key[:3].upper()} {key[3:].lower()}": respelt(item) for key, item in value.items()}
    return [respelt(item) for item in value] if isinstance(value, list) else value


def test_keys_are_compared_without_blanks_and_case() -> None:
    assert parse_c2b(respelt(golden("c2b_clear")), MOMENT) == parse_c2b(golden("c2b_clear"), MOMENT)
    for name in ("stk_callback_paid", "stk_callback_cancelled"):
        assert parse_stk_callback(respelt(golden(name))) == parse_stk_callback(golden(name))
        assert external_id("asked", respelt(golden(name))) == external_id("asked", golden(name))
    assert parse_stk_query(respelt(golden("stk_query_paid")), CHECKOUT) == parse_stk_query(
        golden("stk_query_paid"), CHECKOUT
    )
    assert parse_stk_ack(respelt(golden("stk_ack"))) == parse_stk_ack(golden("stk_ack"))
    assert parse_reversal_result(respelt(golden("reversal_done"))) == parse_reversal_result(golden("reversal_done"))
    ours, theirs = (
        parse_pull_page(golden("pull_rows"), "600984"),
        parse_pull_page(respelt(golden("pull_rows")), "600984"),
    )
    assert ours == theirs
    shown = json.dumps(scrub(respelt(golden("c2b_clear"))))
    assert not [private for private in PRIVATE if private in shown]
    for spelling in ("Response Status", "response_status", "ResponseStatus"):
        assert parse_pull_registration({spelling: "1000"}) is True


def test_our_replies_are_mpesas_own_words() -> None:
    assert c2b_accept() == {"ResultCode": "0", "ResultDesc": "Accepted"}
    assert c2b_accept("kvk-in-88213")["ThirdPartyTransID"] == "kvk-in-88213"
    assert c2b_reject(C2bRefusal.account_number) == {"ResultCode": "C2B00012", "ResultDesc": "Rejected"}
    assert [code.value for code in C2bRefusal] == [f"C2B0001{n}" for n in range(1, 7)]
    assert C2B_CONFIRMED == {"ResultCode": 0, "ResultDesc": "Success"}


def test_pulled_rows_are_read_through_their_nesting() -> None:
    rows = parse_pull_page(golden("pull_rows"), "600984")
    assert rows is not None
    first, second = rows.payments
    assert (rows.odd, rows.rows) == ([], 2)
    assert (first.external_id, first.amount, first.happened_at) == ("UKL9M2T4VC", Money(150_000, "KES"), MOMENT)
    assert (first.payer_phone, first.payer_name, first.reference) == (PHONE, "WANJIRU", "INV-2231")
    assert (second.amount, second.payer_phone, second.payer_name) == (Money(2_000, "KES"), None, "")
    assert second.happened_at == datetime(2026, 11, 21, 6, 15, tzinfo=UTC)
    assert parse_pull_page({"ResponseCode": "1001", "Response": [[]]}, "600984") == PullPage([], [], 0)
    assert parse_pull_page({"ResponseCode": "1002"}, "600984") is None


# --------------------------------------------------------------------------------------------------------- reversals


def test_a_reversal_done_and_one_done_before_both_gave_the_money_back() -> None:
    done, before = parse_reversal_result(golden("reversal_done")), parse_reversal_result(golden("reversal_repeated"))
    assert (done.state, done.receipt, done.amount) == ("paid", "UKL1R8B5ME", Money(150_000, "KES"))
    assert (done.party_digits, done.happened_at) == (PHONE.digits, datetime(2026, 11, 21, 6, 30, 1, tzinfo=UTC))
    assert balances_beside(golden("reversal_done")) == {"Utility Account": Money(4_670_000, "KES")}
    assert (before.state, before.code, before.receipt) == ("paid", "R000001", None)


@pytest.mark.parametrize(
    ("code", "state"), [("R000002", "failed"), (1, "failed"), (2001, "failed"), (15, "unclear"), ("R000009", "unclear")]
)
def test_a_reversal_fails_by_a_known_code_only(code: Any, state: str) -> None:
    body = golden("reversal_repeated")
    body["Result"]["ResultCode"] = code
    assert parse_reversal_result(body).state == state
    body["Result"]["ResultType"] = 1
    assert parse_reversal_result(body).state == "pending"


# ------------------------------------------------------------------------------------------------- the inbox, privacy


def test_the_inbox_tells_repeats_from_contradictions_and_names_no_phone() -> None:
    paid, cancelled = golden("stk_callback_paid"), golden("stk_callback_cancelled")
    other, more = copy.deepcopy(paid), copy.deepcopy(paid)
    items_of(other)[1]["Value"] = "UKL7Z3KD9Q"
    items_of(more)[0]["Value"] = 1501
    ids = {external_id("asked", body) for body in (paid, cancelled, other, more)}
    assert len(ids) == 4
    assert external_id("asked", paid) == external_id("asked", golden("stk_callback_paid"))
    announced = golden("c2b_masked")
    again = {**golden("c2b_clear"), "TransAmount": "1500", "OrgAccountBalance": "1.00"}
    assert external_id("paid", announced) == external_id("paid", again)
    ids |= {external_id("paid", announced), external_id("check", announced)}
    ids.add(external_id("paid", {**announced, "TransAmount": "1501.00"}))
    assert len(ids) == 7
    assert not [text for text in ids if PHONE.digits[-9:] in text or len(text) > 200]


@pytest.mark.parametrize(
    "name",
    [
        "stk_ack", "stk_callback_paid", "stk_callback_cancelled", "c2b_masked", "c2b_hashed", "c2b_clear", "pull_rows",
        "reversal_done",
    ],
)  # fmt: skip
def test_scrubbed_bodies_hold_no_phone_and_no_name(name: str) -> None:
    body = golden(name)
    for read in (body, json.loads(json.dumps(body), parse_int=lambda digits: digits)):
        text = json.dumps(scrub(read))
        assert not [private for private in PRIVATE if private in text]
    assert scrub(scrub(body)) == scrub(body)
    assert body == golden(name), "the body itself is left alone"


def test_a_phone_typed_as_a_bills_reference_is_scrubbed_and_other_references_are_not() -> None:
    body = {**golden("c2b_masked"), "BillRefNumber": "0712345678"}
    assert "712345678" not in json.dumps(scrub(body))
    assert parse_c2b(body).reference == "0712345678"
    assert scrub(golden("c2b_masked"))["BillRefNumber"] == "INV-2231"
    assert scrub(golden("c2b_masked"))["TransID"] == "UKL9M2T4VC"


def test_a_passkey_is_printed_nowhere_and_sealed_whole(desk: Desk) -> None:
    credentials = desk.bench.credentials(passkey=PASSKEY, stk_shortcode="174379")
    assert PASSKEY not in repr(credentials)
    assert DarajaCredentials.model_validate_json(credentials.model_dump_json()) == credentials


@pytest.mark.parametrize(
    "body", [None, [], "text", 7, {}, {"Body": None}, {"Body": {"stkCallback": []}}, {"Result": 1}]
)
def test_what_is_not_the_protocols_is_garbled(body: object) -> None:
    for parse in (parse_stk_callback, parse_c2b, parse_reversal_result):
        with pytest.raises(Garbled):
            parse(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["Name", "Value", "Item", "amount", "trxDate", "transactionId"]), inner, max_size=4
    ),
    max_leaves=12,
)  # fmt: skip


@given(one=JSON, two=JSON, key=st.sampled_from(["Amount", "TransactionDate", "PhoneNumber"]))
def test_no_body_makes_a_parser_raise_anything_but_garbled(one: Any, two: Any, key: str) -> None:
    metadata = {"Item": [{"Name": key, "Value": one}, two]}
    callback = {"ResultCode": 0, "CheckoutRequestID": one, "CallbackMetadata": metadata}
    announced = {"TransID": "x", "TransTime": one, "TransAmount": two, "BusinessShortCode": "1", "MSISDN": one}
    for body in ({"Body": {"stkCallback": callback}}, announced, {"Body": one, "Result": two}):
        parse_stk_query(body, CHECKOUT)
        for parse in (parse_stk_callback, parse_c2b, parse_reversal_result, parse_stk_ack):
            try:
                parse(body)
            except Garbled:
                continue
        external_id("asked", body)
        scrub(body)
    parse_pull_page({"ResponseCode": "1000", "Response": [one, two]}, "600984")
