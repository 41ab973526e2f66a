"""A refusal of our own access, met on the way to moving money: nothing has left, and a person will mend it."""

from core.errors import Busy, InvalidRequest, NotAllowed

_CODES = {"bad_credentials": "credentials_refused"}


def held(refused: NotAllowed | InvalidRequest) -> Busy:
    """The error of a money call for it: Transient, with `extra["operator_needed"] == "yes"`. The connection is to be
    blocked, the payment to wait."""
    return Busy(
        refused.detail, code=_CODES.get(refused.code, refused.code), **{**refused.extra, "operator_needed": "yes"}
    )
