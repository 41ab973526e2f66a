"""What is sent to NCBA, field by field, and what is refused before anything is sent."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from core.errors import InvalidRequest, LimitExceeded, Rejected, Transient
from core.money import Money
from core.msisdn import Msisdn
from providers.banking import BankAccount, FloatOrder, Inquiry, TransferOrder
from providers.ncba.client import Ncba
from providers.ncba.codes import accepted
from providers.ncba.requests import NcbaCredentials, float_body, narration_of, statement_body, transfer_body
from providers.ncba.statement import Lines, parse_statement, verdict
from providers.ports import Endpoint
from tests.simulators.bank.bench import GOLDEN, REFERENCE
from tests.support.dialling import LOOPBACK

CREDENTIALS = NcbaCredentials(user_id="u", password="p", subscription_key="k")
SOURCE = BankAccount("1000200030", "Kivuko Ltd")
KES_50K = Money(5_000_000, "KES")


def golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def float_order(**changes: Any) -> FloatOrder:
    plain = {
        "reference": "kvk01J9ZC3Q4MFLT", "operator": "mpesa", "float_account": "600999", "float_name": "KIVUKO B2C",
        "source": SOURCE, "amount": KES_50K, "narration": "float", "phone": Msisdn("+254712000111"),
    }  # fmt: skip
    return FloatOrder(**{**plain, **changes})


def transfer(**changes: Any) -> TransferOrder:
    plain = {
        "reference": REFERENCE, "rail": "pesalink", "source": SOURCE,
        "destination": BankAccount("01109876543210", "A Otieno", "11000"), "amount": KES_50K, "narration": "KVK 8841",
    }  # fmt: skip
    return TransferOrder(**{**plain, **changes})


def test_the_float_purchase_is_the_sheets() -> None:
    assert float_body(float_order(), CREDENTIALS, date(2026, 1, 14)) == golden("ncba_float_request.json")


def test_the_golden_float_answer_is_accepted_with_the_banks_id() -> None:
    assert accepted("float", golden("ncba_float_accepted.json"), "resErrorCode", {}) == "FT26014AB12C"


def test_a_pesalink_transfer_has_its_fields() -> None:
    assert transfer_body(transfer(), CREDENTIALS) == {
        "BeneficiaryAccountNumber": "01109876543210", "BeneficiaryBankBIC": "11000", "BeneficiaryName": "A Otieno",
        "Amount": "50000.00", "Currency": "KES", "Narration": f"{REFERENCE} KVK 8841",
        "SenderAccountNumber": "1000200030", "SenderCIF": "100020", "SenderCountry": "Kenya",
        "TransactionID": REFERENCE,
    }  # fmt: skip


def test_the_customer_number_may_be_told() -> None:
    told = CREDENTIALS.model_copy(update={"sender_cif": "777001"})
    assert transfer_body(transfer(), told)["SenderCIF"] == "777001"


def test_an_internal_transfer_has_its_fields() -> None:
    order = transfer(rail="internal", destination=BankAccount("1000200031", "KIVUKO B2C", "07000"))
    assert transfer_body(order, CREDENTIALS) == {
        "Country": "Kenya", "TransactionID": REFERENCE, "BeneficiaryAccountName": "KIVUKO B2C",
        "DebitAccountNumber": "1000200030", "CreditAccountNumber": "1000200031", "Currency": "KES",
        "Amount": "50000.00", "Narration": f"{REFERENCE} KVK 8841",
    }  # fmt: skip


def test_a_statement_asks_by_days() -> None:
    assert statement_body("1000200030", date(2026, 1, 2), date(2026, 1, 14), CREDENTIALS) == {
        "fromDate": "02012026", "toDate": "14012026", "country": "Kenya", "accountNo": "1000200030",
    }  # fmt: skip
    with pytest.raises(InvalidRequest):
        statement_body("1000200030", date(2026, 1, 14), date(2026, 1, 2), CREDENTIALS)


def test_a_narration_begins_with_the_reference_and_names_it_once() -> None:
    assert narration_of(REFERENCE, f" for  {REFERENCE} ") == f"{REFERENCE} for"
    assert narration_of(REFERENCE, "x" * 200).startswith(f"{REFERENCE} x")
    assert len(narration_of(REFERENCE, "x" * 200)) == 100


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reference": ""}, "reference"), ({"reference": "a b"}, "reference"),
        ({"source": BankAccount("12", "K")}, "source"), ({"source": BankAccount("1000200030", " ")}, "source"),
        ({"destination": BankAccount("", "A", "11000")}, "destination"),
        ({"destination": BankAccount("01109876543210", "A")}, "bank_code"),
        ({"destination": BankAccount("1000200031", "A", "07000")}, "bank_code"),
        ({"destination": BankAccount("1000200031", "A", "07")}, "bank_code"),
        ({"rail": "internal"}, "bank_code"),
        ({"amount": Money(0, "KES")}, "amount"), ({"amount": Money(100_00, "USD")}, "amount"),
    ],
)  # fmt: skip
def test_a_transfer_that_cannot_be_carried_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        transfer_body(transfer(**changes), CREDENTIALS)
    assert caught.value.extra["field"] == field


@pytest.mark.parametrize("minor", [49_99, 1_000_000_00])
def test_pesalink_has_limits(minor: int) -> None:
    with pytest.raises(LimitExceeded):
        transfer_body(transfer(amount=Money(minor, "KES")), CREDENTIALS)


@pytest.mark.parametrize("operator", ["airtel", "mtn"])
async def test_other_float_is_not_sold(operator: Any) -> None:
    async with Ncba(Endpoint("http://127.0.0.1:9", rules=LOOPBACK), CREDENTIALS) as bank:
        assert bank.capabilities.float_operators == {"mpesa"}
        with pytest.raises(InvalidRequest) as caught:
            await bank.buy_float(float_order(operator=operator))
    assert caught.value.code == "unsupported_operator"


@pytest.mark.parametrize(
    "changes", [{"float_account": "KVK"}, {"amount": Money(100, "USD")}, {"amount": Money(-1, "KES")}]
)
def test_float_that_cannot_be_bought_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        float_body(float_order(**changes), CREDENTIALS, date(2026, 1, 14))


# ------------------------------------------------------------------------------------------------------ statement rows

ROW = {
    "ValueDate": "14012026", "CreditDebitFlag": "D", "CreditAmount": None, "DebitAmount": "50,000.00",
    "InstrumentReferenceNumber": "FT26014AB12C\\BNK", "Narrative": f"IFT {REFERENCE.upper()}", "TransactionCurrency": "KES",
}  # fmt: skip
INQUIRY = Inquiry(REFERENCE, "transfer", SOURCE, KES_50K, datetime(2026, 1, 14, tzinfo=UTC))


def test_a_debit_line_with_our_reference_is_the_proof() -> None:
    found = verdict(parse_statement({"data": {"rows": [ROW]}}, "1000200030"), INQUIRY)
    assert (found.state, found.receipt, found.amount) == ("paid", "FT26014AB12C", KES_50K)
    assert found.happened_at == datetime(2026, 1, 13, 21, tzinfo=UTC)


@pytest.mark.parametrize("field", ["PaymentDetails", "CreditReference", "AdditionalReference"])
def test_the_reference_may_stand_in_another_field(field: str) -> None:
    lines = parse_statement([{**ROW, "Narrative": "IFT", field: REFERENCE}], "1000200030")
    assert verdict(lines, INQUIRY).state == "paid"


def test_without_a_bank_id_the_receipt_is_our_reference() -> None:
    for unfit in ("", "x" * 5_000, "CHQ 12"):
        found = parse_statement([{**ROW, "InstrumentReferenceNumber": unfit}], "1000200030")
        assert found.lines[0].entry.bank_transaction_id == ""
        assert verdict(found, INQUIRY).receipt == REFERENCE.upper()  # as every receipt is kept


@pytest.mark.parametrize(
    ("told", "minor"),
    [("1,250.50", 125_050), ("-3.00", -300), (" 7 ", 700), ("", None), (None, None), ("soon", None), ("9" * 100, None)],
)
def test_what_lies_there_after_a_line_is_known_where_the_bank_says_it(told: str | None, minor: int | None) -> None:
    (line,) = parse_statement([{**ROW, "RunningBalance": told}], "1000200030").lines
    assert line.entry.balance == (None if minor is None else Money(minor, "KES"))


def test_a_credit_alone_proves_no_payout() -> None:
    row = {**ROW, "CreditDebitFlag": "CR", "CreditAmount": "50000.00", "DebitAmount": "0.00"}
    assert verdict(parse_statement([row], "1000200030"), INQUIRY).code == "not_found"


def test_an_empty_statement_has_no_lines() -> None:
    assert parse_statement({"transactions": []}, "1000200030") == Lines([], [])


@pytest.mark.parametrize("body", [None, {}, "x", {"resultCode": "SIM14"}])
def test_what_holds_no_list_of_lines_is_no_statement(body: object) -> None:
    with pytest.raises(Transient):
        parse_statement(body, "1000200030")


TORN: list[Any] = [
    1, None, {}, {**ROW, "ValueDate": "2026-01-14"}, {**ROW, "ValueDate": "x" * 5_000}, {**ROW, "DebitAmount": "x"},
    {**ROW, "CreditDebitFlag": "C"}, {**ROW, "CreditAmount": "1.00"}, {**ROW, "TransactionCurrency": "XXX"},
    {**ROW, "DebitAmount": "1.005"}, {**ROW, "DebitAmount": None}, {**ROW, "DebitAmount": "1e3"},
    {**ROW, "DebitAmount": "５０"}, {**ROW, "DebitAmount": Decimal("1e200000")},
]  # fmt: skip


@pytest.mark.parametrize("torn", TORN, ids=lambda row: repr(row)[:20])
def test_a_line_that_cannot_be_read_hides_none_of_the_others(torn: Any) -> None:
    other = {**ROW, "Narrative": "school fees", "InstrumentReferenceNumber": "FT26014XY99Z"}
    found = parse_statement([other, torn, ROW], "1000200030")
    assert [line.entry.bank_transaction_id for line in found.lines] == ["FT26014XY99Z", "FT26014AB12C"]
    (row,) = found.statement.unreadable
    assert (row.reason, len(row.detail) < 200) == ("unreadable", True)
    assert parse_statement([torn], "1000200030").statement.unreadable == [row]


def test_a_line_that_cannot_be_read_and_names_us_is_no_proof_either_way() -> None:
    torn = {**ROW, "DebitAmount": "?"}
    for body in ([torn], [ROW, torn]):
        found = verdict(parse_statement(body, "1000200030"), INQUIRY)
        assert (found.state, found.code) == ("unclear", "unreadable_line")
    elsewhere = verdict(parse_statement([{**torn, "Narrative": "school fees"}], "1000200030"), INQUIRY)
    assert (elsewhere.state, elsewhere.code) == ("pending", "not_found")


def test_names_and_narrations_are_what_ncba_carries() -> None:
    order = transfer(
        rail="internal",
        destination=BankAccount("01109876543210", "Bödå & Søns #1\x1b[2J"),
        narration="Mikopo & ada – BÖDA000012",
    )
    body = transfer_body(order, CREDENTIALS)
    assert body["BeneficiaryAccountName"] == "Boda Sons 1"
    assert body["Narration"] == f"{REFERENCE} Mikopo ada - BODA000012"
    nameless = transfer(rail="internal", destination=BankAccount("01109876543210", "银行"))
    assert transfer_body(nameless, CREDENTIALS)["BeneficiaryAccountName"] == "01109876543210"
    bought = float_body(float_order(float_name="Kivuko & Co", narration="№ 7 ☃"), CREDENTIALS, date(2026, 1, 14))
    assert bought["reqToAccountName"] == "Kivuko Co"
    assert bought["reqPaymentDescription"] == "kvk01J9ZC3Q4MFLT No 7"
