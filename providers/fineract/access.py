"""Whether a user may do everything that the enabled directions need, above all what comes after the money has moved.

A user that may disburse and not read the payment types pays a client and can book nothing (fineract.md 14).
"""

from typing import Any, Final

from core.errors import NotAllowed, NotFound
from providers.fineract.connection import FineractConnection
from providers.fineract.payment_types import MOBILE_MONEY, PaymentTypes
from providers.fineract.wire import parse_complaint
from providers.http import Answer

# What Kivuko does as this user (fineract.md 1). ALL_FUNCTIONS covers everything, ALL_FUNCTIONS_READ the reads.
_PAYOUTS: Final = ("READ_LOAN", "READ_LOANPRODUCT", "READ_CLIENT", "READ_PAYMENTTYPE", "DISBURSE_LOAN")
_COLLECTIONS: Final = ("REPAYMENT_LOAN", "READ_SAVINGSACCOUNT", "DEPOSIT_SAVINGSACCOUNT")
_MAKE_TYPE: Final = "CREATE_PAYMENTTYPE"

# Harmless reads that show a permission where the server does not name them: permission → operation, path, query.
_SHOWN_BY: Final[dict[str, tuple[str, str, dict[str, Any] | None]]] = {
    "READ_LOANPRODUCT": ("loan_products.list", "/v1/loanproducts", None),
    "READ_LOAN": ("loans.list", "/v1/loans", {"offset": 0, "limit": 1}),
    "READ_CLIENT": ("clients.list", "/v1/clients", {"offset": 0, "limit": 1}),
    "READ_PAYMENTTYPE": ("payment_types.list", "/v1/paymenttypes", None),
    "READ_SAVINGSACCOUNT": ("savings.list", "/v1/savingsaccounts", {"offset": 0, "limit": 1}),
}


async def check_access(connection: FineractConnection, payment_types: PaymentTypes) -> None:
    """Raises NotAllowed ("credentials_refused", "tenant_unknown", "password_expired", "permission_missing" with
    `extra["permissions"]`), NotFound with field "base_url" if no Fineract answers there, Transient otherwise."""
    needed = _PAYOUTS + (_COLLECTIONS if connection.credentials.collections else ())
    held = await _permissions(connection)
    if held is None:
        missing = [name for name in needed if name in _SHOWN_BY and not await _may_read(connection, name)]
    else:
        missing = [name for name in needed if not _covers(held, name)]
    if missing:
        raise _lacks(missing)
    if held is not None and not _covers(held, _MAKE_TYPE) and not await payment_types.exists(MOBILE_MONEY):
        raise _lacks([_MAKE_TYPE], f" (or make the payment type {MOBILE_MONEY} by hand)")


async def _permissions(connection: FineractConnection) -> frozenset[str] | None:
    """What the server says that the user may do; None if it does not say (an older one, or its sign-in is switched off)."""
    user = connection.credentials
    body = {"username": user.username, "password": user.password}
    answer = await connection.send("authentication", "/v1/authentication", body, effect="read", secret_answer=True)
    if answer.status in (404, 405):
        return None
    if answer.status == 200 and not isinstance(answer.json, dict):
        raise _no_fineract()
    told = connection.understood("authentication", answer)
    if told.get("shouldRenewPassword") is True:
        raise NotAllowed("Fineract wants this user to renew the password.", code="password_expired", field="password")
    held = told.get("permissions")
    return frozenset(str(name) for name in held) if isinstance(held, list) else None


async def _may_read(connection: FineractConnection, permission: str) -> bool:
    operation, path, wanted = _SHOWN_BY[permission]
    answer = await connection.get(operation, path, wanted)
    if _not_fineract(answer):
        raise _no_fineract()
    try:
        connection.understood(operation, answer)
    except NotAllowed as refusal:
        if refusal.code != "permission_missing":
            raise
        return False
    return True


def _covers(held: frozenset[str], permission: str) -> bool:
    reads = permission.startswith("READ_") and "ALL_FUNCTIONS_READ" in held
    return permission in held or "ALL_FUNCTIONS" in held or reads


def _not_fineract(answer: Answer) -> bool:
    """A wrong address: another site's page, or a 404 or 405 that is not in Fineract's envelope."""
    if answer.status in (404, 405):
        return not parse_complaint(answer.json).readable
    return answer.status == 200 and not isinstance(answer.json, dict | list)


def _no_fineract() -> NotFound:
    return NotFound("No Fineract answers at this address.", code="no_fineract_here", field="base_url")


def _lacks(missing: list[str], hint: str = "") -> NotAllowed:
    return NotAllowed(
        f"The Fineract user lacks permissions that are needed: {', '.join(missing)}{hint}.",
        code="permission_missing",
        field="username",
        permissions=",".join(missing),
    )
