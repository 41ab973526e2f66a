"""Products, payment types and clients."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Literal

from pydantic import BaseModel

from simulators.fineract.replies import not_found
from simulators.world import World

CLIENTS: Final = "fineract.clients"
PAYMENT_TYPES: Final = "fineract.payment_types"

CURRENCY: Final = {
    "code": "KES",
    "name": "Kenyan Shilling",
    "decimalPlaces": 2,
    "displaySymbol": "KSh",
    "nameCode": "currency.KES",
    "displayLabel": "Kenyan Shilling (KSh)",
}

# id → name, short name, least, usual and greatest principal in shillings, monthly instalments.
_PRODUCTS: Final = {
    1: ("Boda Boda Loan", "BODA", 5_000, 50_000, 250_000, 12),
    2: ("Kilimo Loan", "KILI", 1_000, 20_000, 150_000, 6),
    3: ("Biashara Loan", "BIAS", 2_000, 70_000, 500_000, 10),
}


_CLIENT_STATUS: Final = {
    "pending": 100, "active": 300, "transfer.in.progress": 303, "transfer.on.hold": 304, "closed": 600,
}  # fmt: skip


class ClientSeed(BaseModel):
    """Makes a client, or changes one if `id` is known. `mobileNo` is free text, or null for none. `status`, where given, says
    more than `active`."""

    displayName: str
    mobileNo: str | None = None
    id: int | None = None
    active: bool = True
    status: Literal["pending", "active", "transfer.in.progress", "transfer.on.hold", "closed"] | None = None
    tenant: str = "default"


class Catalogue:
    def __init__(self, world: World) -> None:
        self._documents = world.documents

    # ------------------------------------------------------------------------------------------------------- products

    def product_name(self, product_id: int) -> str:
        return _product(product_id)[0]

    def instalments(self, product_id: int) -> int:
        return _product(product_id)[5]

    def products(self) -> list[dict[str, Any]]:
        return [self.product(product_id) for product_id in _PRODUCTS]

    def product(self, product_id: int) -> dict[str, Any]:
        name, short, least, usual, most, instalments = _product(product_id)
        return {
            "id": product_id,
            "name": name,
            "shortName": short,
            "status": "loanProduct.active",
            "currency": CURRENCY,
            "principal": Decimal(usual),
            "minPrincipal": Decimal(least),
            "maxPrincipal": Decimal(most),
            "numberOfRepayments": instalments,
            "repaymentEvery": 1,
            "repaymentFrequencyType": {"id": 2, "code": "repaymentFrequency.periodFrequencyType.months",
                                       "value": "Months"},
            "interestRatePerPeriod": Decimal(0),
            "multiDisburseLoan": False,
        }  # fmt: skip

    # -------------------------------------------------------------------------------------------------- payment types

    def payment_types(self, tenant: str) -> list[dict[str, Any]]:
        if not any(row["tenant"] == tenant for row in self._documents.all(PAYMENT_TYPES)):
            self.make_payment_type(tenant, "Cash", cash=True)
        rows = [row for row in self._documents.all(PAYMENT_TYPES) if row["tenant"] == tenant and not row["deleted"]]
        return [{key: value for key, value in row.items() if key not in ("tenant", "deleted")} for row in rows]

    def make_payment_type(self, tenant: str, name: str, *, cash: bool, position: int = 1) -> int:
        number = self._documents.next_number("fineract.payment_types")
        row = {"id": number, "tenant": tenant, "name": name, "isCashPayment": cash, "position": position}
        self._documents.put(PAYMENT_TYPES, f"{tenant}:{number}", row | {"isSystemDefined": False, "deleted": False})
        return number

    def payment_type(self, tenant: str, number: Any) -> dict[str, Any]:
        found = next((row for row in self.payment_types(tenant) if row["id"] == number), None)
        if found is None:
            raise not_found("error.msg.payment.type.invalid")
        return found

    def delete_payment_type(self, tenant: str, number: int) -> None:
        self.payment_type(tenant, number)
        key = f"{tenant}:{number}"
        self._documents.put(PAYMENT_TYPES, key, (self._documents.get(PAYMENT_TYPES, key) or {}) | {"deleted": True})

    # -------------------------------------------------------------------------------------------------------- clients

    def seed_client(self, seed: ClientSeed) -> dict[str, Any]:
        number = seed.id or self._documents.next_number("fineract.clients")
        while seed.id is None and self._documents.get(CLIENTS, f"{seed.tenant}:{number}") is not None:
            number = self._documents.next_number("fineract.clients")
        status = seed.status or ("active" if seed.active else "pending")
        client = seed.model_dump() | {"id": number, "status": status, "active": status == "active"}
        return self._documents.put(CLIENTS, f"{seed.tenant}:{number}", client)

    def client(self, tenant: str, number: int) -> dict[str, Any]:
        """The stored client. Raises 404 for an unknown one."""
        found = self._documents.get(CLIENTS, f"{tenant}:{number}")
        if found is None:
            raise not_found("error.msg.client.id.invalid")
        return found

    def clients_page(self, tenant: str, query: Mapping[str, str]) -> dict[str, Any]:
        """`GET /clients`, by id."""
        numbers = sorted(row["id"] for row in self._documents.all(CLIENTS) if row["tenant"] == tenant)
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 0)) or len(numbers)
        page = [self.client_details(tenant, number) for number in numbers[offset : offset + limit]]
        return {"totalFilteredRecords": len(numbers), "pageItems": page}

    def client_details(self, tenant: str, number: int) -> dict[str, Any]:
        client = self.client(tenant, number)
        first, _, last = client["displayName"].partition(" ")
        word = client["status"]
        status = (_CLIENT_STATUS[word], f"clientStatusType.{word}", word.capitalize())
        return {
            "id": number,
            "accountNo": f"{number:09d}",
            "status": dict(zip(("id", "code", "value"), status, strict=True)),
            "active": client["active"],
            "displayName": client["displayName"],
            "firstname": first,
            "lastname": last or None,
            "mobileNo": client["mobileNo"],
            "officeId": 1,
            "officeName": "Head Office",
            "timeline": {"submittedOnDate": [2025, 1, 6], "submittedByUsername": "mifos"},
        }


def _product(product_id: int) -> tuple[str, str, int, int, int, int]:
    if product_id not in _PRODUCTS:
        raise not_found("error.msg.loanproduct.id.invalid")
    return _PRODUCTS[product_id]
