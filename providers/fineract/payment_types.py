"""Payment types by name. Without a `paymentTypeId` Fineract silently drops the receipt (fineract.md 6)."""

import asyncio
from typing import Any, Final

from core.errors import NotAllowed
from providers.fineract.connection import FineractConnection
from providers.fineract.shapes import Unreadable

# Under which every mobile-money payment is booked.
MOBILE_MONEY: Final = "M-Pesa"


class PaymentTypes:
    """Resolved once per client object, made if missing; never as cash, which would need a teller (fineract.md 6)."""

    def __init__(self, connection: FineractConnection) -> None:
        self._connection = connection
        self._ids: dict[str, int] = {}
        self._resolving = asyncio.Lock()

    async def id_of(self, name: str) -> int:
        """Raises Transient if Fineract does not say, NotAllowed if the type is missing and may not be made."""
        async with self._resolving:  # two posts at once must not make the type twice
            if name not in self._ids:
                self._ids[name] = await self._find(name) or await self._make(name)
            return self._ids[name]

    def forget(self, name: str) -> None:
        """After a 404 for the id: someone removed the type."""
        self._ids.pop(name, None)

    async def exists(self, name: str) -> bool:
        """Raises NotAllowed, Transient."""
        return name in self._ids or await self._find(name) is not None

    async def _find(self, name: str) -> int | None:
        rows = await self._connection.read("payment_types.list", "/v1/paymenttypes")
        if not isinstance(rows, list):
            raise Unreadable("Fineract's answer is not a list of payment types.")
        wanted = name.strip().casefold()
        named = [row for row in rows if isinstance(row, dict) and str(row.get("name", "")).strip().casefold() == wanted]
        # A non-cash one first, then the oldest, so that every process chooses the same.
        chosen = min(named, key=lambda row: (row.get("isCashPayment") is True, row["id"]), default=None)
        return None if chosen is None else int(chosen["id"])

    async def _make(self, name: str) -> int:
        body: dict[str, Any] = {
            "name": name,
            "description": "Mobile money, posted by Kivuko",
            "isCashPayment": False,
            "position": 1,
        }
        answer = await self._connection.send("payment_types.make", "/v1/paymenttypes", body, effect="read")
        try:
            made = self._connection.understood("payment_types.make", answer)
        except NotAllowed as refusal:
            detail = f"The payment type {name} is missing in Fineract, and its user may not make it."
            raise NotAllowed(detail, code="payment_type_missing", **refusal.extra) from refusal
        if not isinstance(made, dict) or type(made.get("resourceId")) is not int:
            raise Unreadable("Fineract's answer does not name the payment type that it made.")
        return int(made["resourceId"])
