"""The demo's hand on the simulated outside world: a client, an approved loan, faults, and the books as the judge."""

import random
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

import httpx

from cli.demo_lender import FINERACT_LOGIN, TENANT
from cli.errors import Failure

_NAMES: Final = ("Wanjiru Achieng", "Otieno Kamau", "Amina Chebet", "Baraka Mwangi", "Njeri Wafula", "Hamisi Barasa")
_FINERACT: Final = "/fineract/fineract-provider/api/v1"
_NAIROBI: Final = ZoneInfo("Africa/Nairobi")


class SimulatedWorld:
    """Raises Failure if the simulators are not there or refuse."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def make_client(self) -> dict[str, Any]:
        """A new client with a phone of its own, so that the books of this crossing stand alone."""
        phone = f"2547{random.randint(10_000_000, 99_999_999)}"
        seed = {"displayName": random.choice(_NAMES), "mobileNo": phone, "tenant": TENANT}
        return {**self._call("POST", "/fineract/simulator/clients", json=seed), "phone": phone}

    def submit_loan(self, client_id: int, principal: str, product_id: int) -> int:
        """A loan that waits for the credit committee."""
        seed = {"clientId": client_id, "productId": product_id, "principal": principal, "status": "submitted"}
        return int(self._call("POST", "/fineract/simulator/loans", json={**seed, "tenant": TENANT})["id"])

    def approve(self, loan_id: int) -> None:
        """As a loan officer's screen does it, so that the hook fires."""
        today = datetime.now(_NAIROBI).date()
        self._call(
            "POST",
            f"{_FINERACT}/loans/{loan_id}",
            params={"command": "approve"},
            json={"approvedOnDate": today.isoformat(), "dateFormat": "yyyy-MM-dd", "locale": "en"},
            headers={"Fineract-Platform-TenantId": TENANT},
            auth=FINERACT_LOGIN,
        )

    def script(self, operation: str, action: str, phone: str, **options: Any) -> None:
        """What goes wrong next for this phone alone."""
        fault = {"operation": operation, "action": action, "match": {"msisdn": phone}, "options": options}
        self._call("POST", "/faults", json={"faults": [fault]})

    def payouts(self, phone: str) -> list[dict[str, Any]]:
        """Money that really reached this phone."""
        return [row for row in self._call("GET", "/books/payouts") if row["msisdn"] == phone]

    def loan(self, loan_id: int) -> dict[str, Any]:
        return next(row for row in self._call("GET", "/books/loans") if row["id"] == loan_id)

    def messages(self, text: str) -> list[dict[str, Any]]:
        """SMS that hold this text."""
        return [row for row in self._call("GET", "/books/messages") if row["channel"] == "sms" and text in row["text"]]

    def _call(self, method: str, path: str, **request: Any) -> Any:
        try:
            answer = self._http.request(method, path, **request)
        except httpx.TransportError:
            raise Failure(f"The simulators do not answer at {self.url}. Is `kivuko up` running?") from None
        if answer.is_error:
            raise Failure(f"The simulator refuses {method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()
