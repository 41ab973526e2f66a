"""The demos' hand on the simulated outside world: clients, loans, payers, transfers, faults, and the books as the judge."""

import random
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

import httpx

from cli.demo.lender import FINERACT_LOGIN, SHORTCODE, TENANT
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

    # ------------------------------------------------------------------------------------------- the lender's Fineract

    def make_client(self) -> dict[str, Any]:
        """A new client with a phone of its own, so that the books of this demo stand alone."""
        phone = f"2547{random.randint(10_000_000, 99_999_999)}"
        seed = {"displayName": random.choice(_NAMES), "mobileNo": phone, "tenant": TENANT}
        return {**self._call("POST", "/fineract/simulator/clients", json=seed), "phone": phone}

    def submit_loan(self, client_id: int, principal: str, product_id: int) -> int:
        """A loan that waits for the credit committee."""
        return int(self._make_loan(client_id, principal, product_id, "submitted")["id"])

    def active_loan(self, client_id: int, principal: str, product_id: int = 1) -> dict[str, Any]:
        """A loan that the client has had for a while and still owes."""
        return self._make_loan(client_id, principal, product_id, "active")

    def _make_loan(self, client_id: int, principal: str, product_id: int, status: str) -> dict[str, Any]:
        seed = {"clientId": client_id, "productId": product_id, "principal": principal, "status": status}
        return dict(self._call("POST", "/fineract/simulator/loans", json={**seed, "tenant": TENANT}))

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

    # ------------------------------------------------------------------------------------------ people who pay us money

    def pay_in(self, account: str, amount: str, narration: str) -> str:
        """Somebody makes a bank transfer to this account; the bank's transaction id."""
        body = {"account": account, "amount": amount, "narration": narration, "payer_name": "DEMO SACCO"}
        return str(self._call("POST", "/bank/simulator/deposits", json=body)["bank_transaction_id"])

    def pay_by_paybill(self, phone: str, amount: str, account: str) -> dict[str, Any]:
        """A customer pays by the phone's menu: `accepted`, `decided_by`, `code`, `receipt`."""
        body = {"shortcode": SHORTCODE, "msisdn": phone, "amount": amount, "bill_reference": account}
        return dict(self._call("POST", "/daraja/simulator/paybill-payments", json=body))

    def announces_payments(self) -> bool:
        """Whether M-Pesa knows where to announce payments to the lender's short code."""
        return any(row["shortcode"] == SHORTCODE for row in self._call("GET", "/daraja/simulator/c2b-urls"))

    # ------------------------------------------------------------------------------------------------ what goes wrong

    def script(self, operation: str, action: str, phone: str, **options: Any) -> None:
        """What goes wrong next for this phone alone."""
        self.fault(operation, action, {"msisdn": phone}, **options)

    def fault(self, operation: str, action: str, match: dict[str, str], **options: Any) -> None:
        """What goes wrong with the next call that has these facts."""
        fault = {"operation": operation, "action": action, "match": match, "options": options}
        self._call("POST", "/faults", json={"faults": [fault]})

    def dealt(self, operation: str, action: str) -> int:
        """How often this has gone wrong so far."""
        return int(self._call("GET", "/faults")["dealt"].get(f"{operation}:{action}", 0))

    # ------------------------------------------------------------------------------------------ the books as the judge

    def payouts(self, phone: str) -> list[dict[str, Any]]:
        """Money that really reached this phone."""
        return [row for row in self._call("GET", "/books/payouts") if row["msisdn"] == phone]

    def collections(self, phone: str) -> list[dict[str, Any]]:
        """Money that really came from this phone."""
        return [row for row in self._call("GET", "/books/collections") if row["msisdn"] == phone]

    def loan(self, loan_id: int) -> dict[str, Any]:
        return next(row for row in self._call("GET", "/books/loans") if row["id"] == loan_id)

    def messages(self, text: str, channel: str = "sms") -> list[dict[str, Any]]:
        """Messages that hold this text; an email's subject counts."""
        return [
            row
            for row in self._call("GET", "/books/messages")
            if row["channel"] == channel and text in f"{row.get('subject') or ''} {row['text']}"
        ]

    def bank_balances(self) -> dict[str, str]:
        """By account number, in major units; outer accounts such as `float:mpesa:600997` too."""
        return {row["number"]: row["balance"] for row in self._call("GET", "/books/bank/accounts")}

    def bank_entries(self, account: str) -> list[dict[str, Any]]:
        """Every entry of this account, oldest first."""
        return [row for row in self._call("GET", "/books/bank/entries") if row["account"] == account]

    def bank_pushes(self) -> list[dict[str, Any]]:
        """Every push of the bank, with how often it was tried and what became of it."""
        return list(self._call("GET", "/bank/simulator/pushes"))

    def bank_orders(self) -> list[dict[str, Any]]:
        """Every instruction that the bank took."""
        return list(self._call("GET", "/bank/simulator/orders"))

    def _call(self, method: str, path: str, **request: Any) -> Any:
        try:
            answer = self._http.request(method, path, **request)
        except httpx.TransportError:
            raise Failure(f"The simulators do not answer at {self.url}. Is `kivuko up` running?") from None
        if answer.is_error:
            raise Failure(f"The simulator refuses {method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()
