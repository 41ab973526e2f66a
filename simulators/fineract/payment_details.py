"""How a payment was made: its type, receipt and accounts (fineract.md 6)."""

from typing import Any, Final

from simulators.fineract.catalogue import Catalogue
from simulators.fineract.fields import Fields

_TEXTS: Final = ("accountNumber", "checkNumber", "routingCode", "receiptNumber", "bankNumber")

# The fields of every command that books money, and of every command with a date or an amount.
PAYMENT_FIELDS: Final = frozenset({"paymentTypeId", *_TEXTS})
SPELLING: Final = frozenset({"locale", "dateFormat", "note"})


def payment_of(fields: Fields, catalogue: Catalogue, tenant: str) -> dict[str, Any]:
    """The details to keep. Empty without a type: then the server silently drops the receipt and the account."""
    texts = {name: fields.text(name, 50) for name in _TEXTS}
    if fields.get("paymentTypeId") is None:
        return {}
    kind = catalogue.payment_type(tenant, fields.get("paymentTypeId"))
    return texts | {"paymentTypeId": kind["id"], "paymentType": kind["name"]}


def shown_payment(item: dict[str, Any]) -> dict[str, Any] | None:
    """`paymentDetailData` of a kept transaction."""
    if not item["paymentTypeId"]:
        return None
    return {
        "id": item["id"],
        "paymentType": {"id": item["paymentTypeId"], "name": item["paymentType"]},
        "accountNumber": item["accountNumber"] or "",
        "receiptNumber": item["receiptNumber"] or "",
        "checkNumber": "", "routingCode": "", "bankNumber": "",
    }  # fmt: skip
