"""Which of NCBA's answers prove what (bank_ncba.md 1 and 6). Pure.

`"000"` is success. A rejection is believed only for a code that is listed: a payout that NCBA had answered without success
was paid all the same, so every other answer is Unknown. NCBA publishes no list. The one code that anybody reports is
below; more are told at onboarding and belong into `NcbaCredentials.rejection_codes`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from core.errors import InsufficientFunds, InvalidRequest, LimitExceeded, NotAllowed, Rejected, Unknown
from core.texts import clean
from providers.facts import ID_LENGTH

RejectionKind = Literal["invalid_request", "insufficient_funds", "limit_exceeded", "not_allowed"]

SUCCESS: Final = "000"
# RC01: a hard decline, seen live when an account at NCBA itself was paid through PesaLink.
REJECTION_CODES: Final[dict[str, RejectionKind]] = {"RC01": "invalid_request"}

_ERRORS: Final[dict[RejectionKind, type[Rejected]]] = {
    "invalid_request": InvalidRequest,
    "insufficient_funds": InsufficientFunds,
    "limit_exceeded": LimitExceeded,
    "not_allowed": NotAllowed,
}
_CODE_FIELDS: Final = ("resultCode", "resErrorCode", "StatusCode")
_TRANSACTION_ID: Final = re.compile(r"FT[0-9]{5}[0-9A-Z]{4,8}(?![0-9A-Za-z])")


def accepted(operation: str, body: Mapping[str, Any], field: str, listed: Mapping[str, RejectionKind]) -> str | None:
    """The bank's id of a movement that it says it made or took; None where the answer names none.

    `field` is the product's own name of the code. Raises Rejected for a listed code, else Unknown ("no_verdict",
    "unlisted_code").
    """
    parts = list(_parts(body))
    codes = {text_of(part.get(name)) for part in parts for name in _CODE_FIELDS} - {""}
    if len(codes) > 1 or not codes:
        raise Unknown(f"NCBA answered {operation} without one result code.", code="no_verdict", operation=operation)
    code = clean(codes.pop(), 40)
    if code == SUCCESS and any(text_of(part.get(field)) == SUCCESS for part in parts):
        named = (text_of(part.get("hdrTranId")) for part in parts)
        return next((clean(text, ID_LENGTH) for text in named if text), None) or _shown_id(parts)
    kind = {**REJECTION_CODES, **listed}.get(code)
    if kind is None or code == SUCCESS:
        raise Unknown(
            f"NCBA answered {operation} with a code whose meaning is not known.",
            code="unlisted_code", provider_code=code, operation=operation,
        )  # fmt: skip
    raise _ERRORS[kind](f"NCBA refused {operation} with {code}.", provider_code=code, operation=operation)


def transaction_id_in(text: str) -> str | None:
    """A core-banking id such as FT26014AB12C, alone or with a branch behind it (FT26014AB12C\\BNK)."""
    match = _TRANSACTION_ID.match(text.strip())
    return match.group() if match else None


def text_of(value: Any) -> str:
    """A JSON scalar as text; "" for null, for a boolean and for anything that is no scalar."""
    if value is None or isinstance(value, bool | dict | list):
        return ""
    return str(value).strip()


def _parts(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The answer and its `data`: sources disagree about which of the two holds the verdict."""
    yield body
    if isinstance(body.get("data"), dict):
        yield body["data"]


def _shown_id(parts: list[Mapping[str, Any]]) -> str | None:
    """The field's name is published nowhere, so the id is known by its form; our own reference never has it."""
    texts = (text_of(value) for part in parts for value in part.values())
    return next((found for found in map(transaction_id_in, texts) if found), None)
