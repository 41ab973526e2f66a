"""What we send to NCBA: credentials, the rules that an instruction must keep, and the bodies (bank_ncba.md 1 and 3).

Field names and their case differ from product to product and are NCBA's. Our reference goes into every reference field and,
first of all words, into the narration: that is what a debit push and a statement line show again.
"""

import re
from datetime import date
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.errors import InvalidRequest, LimitExceeded
from core.money import Money
from providers.banking import BankAccount, FloatOrder, Rail, TransferOrder
from providers.collecting import PromptOrder
from providers.facts import PLAIN_SIGNS, carried
from providers.ncba.codes import RejectionKind

TOKEN_PATH: Final = "/api/v1/Auth/generate-token"  # noqa: S105 - a path, not a secret
TRANSFER_PATHS: Final[dict[Rail, str]] = {
    "internal": "/api/v1/IFTTransaction/ifttransaction",
    "pesalink": "/api/v1/PesaLinkTransaction/pesaLinktransaction",
}
FLOAT_PATH: Final = "/api/v1/FloatPurchase/floatpurchase"
STATEMENT_PATH: Final = "/api/v1/AccountStatement/accountstatement"
TILL_TOKEN_PATH: Final = "/payments/api/v1/auth/token"  # noqa: S105 - a path, not a secret
TILL_PROMPT_PATH: Final = "/payments/api/v1/stk-push/initiate"
TILL_QUERY_PATH: Final = "/payments/api/v1/stk-push/query"

# NCBA's own sort code, short and long: a transfer to it through PesaLink is declined.
OWN_BANK_CODES: Final = frozenset({"07", "07000"})
PESALINK_LIMITS: Final = (Money(50_00, "KES"), Money(999_999_00, "KES"))

_REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_ACCOUNT = re.compile(r"[A-Za-z0-9-]{4,34}")
_SHORTCODE = re.compile(r"[0-9]{5,7}")
_PAYER_REFERENCE = re.compile(r"[A-Za-z0-9]{1,12}")
_KENYAN_MOBILE = re.compile(r"254[17][0-9]{8}")
_NARRATION_LENGTH: Final = 100
_NAME_LENGTH: Final = 70
_TILL_FIELDS: Final = ("till_base_url", "till_username", "till_password", "till_paybill", "till_account")


class NcbaCredentials(BaseModel):
    """Access to Open Banking and, with all `till_*` fields, to the Till API that prompts payers.

    `sender_cif` is the customer number that PesaLink wants; without it, the first six digits of the source account.
    `rejection_codes` adds codes to `codes.REJECTION_CODES`. Dumps to JSON whole (to be sealed); `repr` shows no secret.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    user_id: str = Field(min_length=1)
    password: str = Field(min_length=1, repr=False)
    subscription_key: str = Field(min_length=1, repr=False)
    country: str = Field(default="Kenya", min_length=1)
    sender_cif: str | None = None
    till_base_url: str | None = None
    till_username: str | None = None
    till_password: str | None = Field(default=None, repr=False)
    till_paybill: str | None = None
    till_account: str | None = None
    # The firewall refuses the names that HTTP libraries give themselves (bank_ncba.md 1).
    user_agent: str = Field(default="Kivuko/0.1", min_length=1)
    rejection_codes: dict[str, RejectionKind] = {}

    @model_validator(mode="after")
    def _whole_till(self) -> Self:
        missing = [name for name in _TILL_FIELDS if not getattr(self, name)]
        if missing and len(missing) < len(_TILL_FIELDS):
            raise ValueError(f"the Till API needs {', '.join(missing)} too")
        return self

    @property
    def has_till(self) -> bool:
        return bool(self.till_base_url)


def transfer_body(order: TransferOrder, credentials: NcbaCredentials) -> dict[str, str]:
    """The body of an internal or a PesaLink transfer.

    Raises InvalidRequest or LimitExceeded, naming the field, for what NCBA cannot carry: nothing has been sent then.
    """
    _check(order.reference, order.source, order.amount)
    _check_account(order.destination, "destination")
    amount, narration = order.amount.amount, narration_of(order.reference, order.narration)
    if order.rail == "internal":
        if order.destination.bank_code not in (None, *OWN_BANK_CODES):
            raise InvalidRequest("An internal transfer stays within NCBA.", field="bank_code")
        return {
            "Country": credentials.country,
            "TransactionID": order.reference,
            "BeneficiaryAccountName": name_of(order.destination),
            "DebitAccountNumber": order.source.number,
            "CreditAccountNumber": order.destination.number,
            "Currency": order.amount.currency,
            "Amount": amount,
            "Narration": narration,
        }
    bank_code = order.destination.bank_code or ""
    if not re.fullmatch(r"[0-9]{2,6}", bank_code):
        raise InvalidRequest("PesaLink needs the receiving bank's sort code.", field="bank_code")
    if bank_code in OWN_BANK_CODES:
        raise InvalidRequest("PesaLink declines accounts at NCBA itself.", code="own_bank", field="bank_code")
    if order.amount.currency != "KES":
        raise InvalidRequest("PesaLink moves Kenyan shillings only.", field="amount")
    if not PESALINK_LIMITS[0] <= order.amount <= PESALINK_LIMITS[1]:
        raise LimitExceeded("PesaLink takes KES 50 to 999,999.", field="amount")
    return {
        "BeneficiaryAccountNumber": order.destination.number,
        "BeneficiaryBankBIC": bank_code,
        "BeneficiaryName": name_of(order.destination),
        "Amount": amount,
        "Currency": order.amount.currency,
        "Narration": narration,
        "SenderAccountNumber": order.source.number,
        "SenderCIF": credentials.sender_cif or order.source.number[:6],
        "SenderCountry": credentials.country,
        "TransactionID": order.reference,
    }


def float_body(order: FloatOrder, credentials: NcbaCredentials, today: date) -> dict[str, str]:
    """The body of a float purchase; `today` in Nairobi. NCBA sells M-Pesa float alone, as far as anyone has seen.

    Raises InvalidRequest, naming the field; its code is "unsupported_operator" for another operator's float.
    """
    if order.operator != "mpesa":
        raise InvalidRequest("NCBA sells M-Pesa float only.", code="unsupported_operator", field="operator")
    _check(order.reference, order.source, order.amount)
    if order.amount.currency != "KES":
        raise InvalidRequest("M-Pesa float is bought in Kenyan shillings.", field="amount")
    if not _SHORTCODE.fullmatch(order.float_account):
        raise InvalidRequest("The float account is an M-Pesa short code of 5 to 7 digits.", field="float_account")
    amount = order.amount.amount
    return {
        "reqAgentName": name_of(order.source),
        "reqCreditAmount": amount,
        "reqCustomerReference": order.reference,
        "reqDealReference": order.reference,
        "reqDebitAccountNumber": order.source.number,
        "reqDebitAcCurrency": order.amount.currency,
        "reqDebitAmount": amount,
        "reqMobileNumber": order.phone.digits if order.phone else "",
        "reqPayBillTillNo": order.float_account,
        "reqPaymentDescription": narration_of(order.reference, order.narration),
        "reqPaymentType": "FloatPurchase",
        "reqToAccountName": carried(order.float_name, _NAME_LENGTH, PLAIN_SIGNS, order.float_account),
        "reqTransactionReferenceNo": order.reference,
        "reqTxnDate": f"{today:%Y%m%d}",
        "senderCountry": credentials.country,
    }


def statement_body(account: str, start: date, end: date, credentials: NcbaCredentials) -> dict[str, str]:
    if end < start:
        raise InvalidRequest("The end of a statement lies before its start.", field="end")
    return {
        "fromDate": f"{start:%d%m%Y}",
        "toDate": f"{end:%d%m%Y}",
        "country": credentials.country,
        "accountNo": account,
    }


def till_prompt_body(order: PromptOrder, credentials: NcbaCredentials) -> dict[str, str]:
    """The body of a prompt. There is no field for our reference; `<till account>#<payer reference>` comes back in the
    account push (bank_ncba.md 3 and 4). Raises InvalidRequest, naming the field."""
    if order.amount.currency != "KES" or order.amount.minor <= 0:
        raise InvalidRequest("A prompt asks for Kenyan shillings, more than none.", field="amount")
    if not _KENYAN_MOBILE.fullmatch(order.msisdn.digits):
        raise InvalidRequest("Only Kenyan mobile numbers can be prompted.", code="invalid_msisdn", field="phone")
    if not _PAYER_REFERENCE.fullmatch(order.payer_reference):
        raise InvalidRequest("The payer's reference is 1 to 12 letters and digits.", field="payer_reference")
    return {
        "TelephoneNo": order.msisdn.digits,
        "Amount": str(order.amount.whole_units()),
        "PayBillNo": credentials.till_paybill or "",
        "AccountNo": f"{credentials.till_account}#{order.payer_reference}",
        "Network": "Safaricom",
        "TransactionType": "CustomerPayBillOnline",
    }


def narration_of(reference: str, words: str) -> str:
    """Our reference first, so that a bank that cuts narrations cuts the words; of those, what NCBA carries."""
    rest = carried(words.replace(reference, " "), _NARRATION_LENGTH, PLAIN_SIGNS)
    return f"{reference} {rest}".strip()[:_NARRATION_LENGTH].rstrip()


def name_of(account: BankAccount) -> str:
    """The holder's name as NCBA carries it; the number where nothing is left of it."""
    return carried(account.name, _NAME_LENGTH, PLAIN_SIGNS, account.number)


def _check(reference: str, source: BankAccount, amount: Money) -> None:
    if not _REFERENCE.fullmatch(reference):
        raise InvalidRequest("The reference must be 1 to 40 of A-Z a-z 0-9 _ -.", field="reference")
    _check_account(source, "source")
    if amount.minor <= 0:
        raise InvalidRequest("The amount must be above zero.", field="amount")


def _check_account(account: BankAccount, field: str) -> None:
    if not _ACCOUNT.fullmatch(account.number):
        raise InvalidRequest("A bank account number has 4 to 34 letters, digits and dashes.", field=field)
    if not account.name.strip():
        raise InvalidRequest("A bank account needs its holder's name.", field=field)
