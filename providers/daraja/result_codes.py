"""What M-Pesa's B2C result codes mean, as data (daraja.md 3.7). A code that is not here is unclear, never failed."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ResultMeaning:
    """`moved`: did the money move? None means that the code alone does not tell, so the status must be asked.

    `retriable`: a later attempt under a *new* reference may succeed by itself or after a top-up.
    `operator_needed`: our own account, credential or request is at fault; further sends fail too (daraja.md 14.8).
    """

    text: str
    moved: bool | None
    retriable: bool = False
    operator_needed: bool = False


def _no(text: str, *, retriable: bool = False, operator: bool = False) -> ResultMeaning:
    return ResultMeaning(text, moved=False, retriable=retriable, operator_needed=operator)


def _unclear(text: str) -> ResultMeaning:
    return ResultMeaning(text, moved=None)


UNLISTED: Final = _unclear("a result code without a known meaning")

RESULT_CODES: Final[dict[str, ResultMeaning]] = {
    "0": ResultMeaning("paid", moved=True),
    "1": _no("the Utility account holds too little", retriable=True),
    "2": _no("the amount is below the minimum"),
    "3": _no("the amount is above the maximum of one payout"),
    "4": _no("the receiver's daily limit would be exceeded", retriable=True),
    "5": _no("an account would fall below its minimum balance"),
    "6": _no("the primary party could not be resolved"),
    "7": _no("the receiver could not be resolved"),
    "8": _no("the receiver's maximum balance would be exceeded"),
    "11": _no("the paying account is in an invalid state", operator=True),
    "12": _no("an account could not be resolved"),
    "13": _no("an account could not be resolved"),
    "14": _no("the receiving account is invalid"),
    "18": _no("the initiator's credential check failed", operator=True),
    "19": _no("M-Pesa's message sequencing failed", operator=True),
    "20": _no("the initiator was not found", operator=True),
    "21": _no("the initiator lacks the B2C role", operator=True),
    "22": _no("the initiator is inactive", operator=True),
    "24": _no("a field is missing from the request", operator=True),
    "25": _no("a parameter of the request is bad", operator=True),
    "29": _no("the command is unknown to M-Pesa", operator=True),
    "2001": _no("the initiator's name, password or certificate is wrong", operator=True),
    "2006": _no("the account's status does not allow it", operator=True),
    "2028": _no("the short code is not permitted to pay out", operator=True),
    "2040": _no("the receiver is not a registered customer"),
    "8006": _no("the initiator's credential is locked", operator=True),
    "SFC_IC0003": _no("the receiver does not exist"),
    "TP40153": _no("the initiator is not permitted in this organisation", operator=True),
    # The first payment under this reference may well have happened: never a failure of the payout (daraja.md 3.7).
    "15": _unclear("M-Pesa has seen this reference before"),
    "17": _unclear("an internal failure at M-Pesa"),
    "26": _unclear("M-Pesa is busy or blocks the traffic"),
    "100000000": _unclear("the request is cached and may still be executed"),
    "100000001": _unclear("M-Pesa is overloaded"),
    "100000002": _unclear("M-Pesa throttles requests"),
    "100000004": _unclear("an internal error at M-Pesa"),
    # 5 and 10 read as failures but the whole family is not final (daraja.md 3.7, 14.4); the cautious reading wins.
    "100000005": _unclear("M-Pesa found an invalid value"),
    "100000007": _unclear("M-Pesa's service is abnormal"),
    "100000009": _unclear("M-Pesa's API is abnormal"),
    "100000010": _unclear("M-Pesa denies the permission"),
    "100000011": _unclear("M-Pesa's rate limit is exceeded"),
}


def meaning_of(code: str) -> ResultMeaning:
    """The meaning of a result code, UNLISTED for one that no source explains."""
    return RESULT_CODES.get(code, UNLISTED)
