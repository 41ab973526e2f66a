"""What we send to the reference bank, and its words (bank_ncba.md 6). Pure."""

import re
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from core.errors import InsufficientFunds, InvalidRequest, LimitExceeded, NotFound, Rejected
from core.texts import clean
from providers.banking import FloatOrder, TransferOrder

TRANSFERS_PATH: Final = "/v1/transfers"
FLOATS_PATH: Final = "/v1/float-purchases"

# The codes of a 422: the bank has refused the instruction for good.
REJECTIONS: Final[dict[str, type[Rejected]]] = {
    "INSUFFICIENT_FUNDS": InsufficientFunds,
    "ACCOUNT_NOT_FOUND": NotFound,
    "LIMIT_EXCEEDED": LimitExceeded,
    "UNSUPPORTED_OPERATOR": InvalidRequest,
    "INVALID_REQUEST": InvalidRequest,
}

_NAME_LENGTH: Final = 120
_NARRATION_LENGTH: Final = 200
_REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class ReferenceBankCredentials(BaseModel):
    """One customer's access. Dumps to JSON whole (to be sealed); `repr` shows no secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: str = Field(min_length=1, repr=False)


def entries_path(account: str) -> str:
    """Raises InvalidRequest for what would not be one segment of a path."""
    return f"/v1/accounts/{_segment(account, 'account')}/entries"


def inquiry_path(what: str, reference: str) -> str:
    return f"{FLOATS_PATH if what == 'float' else TRANSFERS_PATH}/{_segment(reference, 'reference')}"


def transfer_body(order: TransferOrder) -> dict[str, Any]:
    """Raises InvalidRequest, naming the field, for what the bank cannot carry: nothing has been sent then."""
    _check(order)
    name = clean(order.destination.name, _NAME_LENGTH) or order.destination.number
    destination = {"account": order.destination.number, "name": name}
    if order.rail == "pesalink":
        if not order.destination.bank_code:
            raise InvalidRequest("PesaLink needs the receiving bank's code.", field="bank_code")
        destination["bank_code"] = order.destination.bank_code
    return {
        "client_reference": order.reference,
        "rail": order.rail.upper(),
        "source_account": order.source.number,
        "destination": destination,
        "amount": order.amount.amount,
        "currency": order.amount.currency,
        "narration": clean(order.narration, _NARRATION_LENGTH),
    }


def float_body(order: FloatOrder) -> dict[str, Any]:
    _check(order)
    return {
        "client_reference": order.reference,
        "operator": order.operator.upper(),
        "float_account": order.float_account,
        "source_account": order.source.number,
        "amount": order.amount.amount,
        "currency": order.amount.currency,
    }


def _check(order: TransferOrder | FloatOrder) -> None:
    _segment(order.reference, "reference")
    if order.amount.minor <= 0:
        raise InvalidRequest("The amount must be above zero.", field="amount")


def _segment(text: str, field: str) -> str:
    if not _REFERENCE.fullmatch(text):
        raise InvalidRequest(f"The {field} must be 1 to 64 of A-Z a-z 0-9 _ -.", field=field)
    return text
