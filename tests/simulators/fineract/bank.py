"""A simulated Fineract over HTTP, as a test wants to speak of it."""

import asyncio
import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from core.clock import local_date, utc_now
from core.money import Money
from providers.fineract.client import Fineract
from providers.fineract.wire import FineractCredentials
from providers.ports import DisbursalPost, Endpoint, ExchangeRecorder, forget_exchange
from providers.repayments import AccountKind, PaymentPost
from tests.support.dialling import LOOPBACK

GOLDEN = Path(__file__).parents[2] / "golden" / "fineract"
ZONE = "Africa/Nairobi"

KINDS: tuple[AccountKind, ...] = ("loan", "savings")
# kind → the operation whose faults meet a payment on it
PAYING = {"loan": "fineract.repay", "savings": "fineract.deposit"}


def golden(name: str) -> Any:
    """A sample: `source` says where the facts come from, `body` is the JSON (numbers as Decimal)."""
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"), parse_float=Decimal)["body"]


def today() -> date:
    return local_date(utc_now(), ZONE)


@dataclass
class Bank:
    """`root` is the simulators' address. Close it."""

    root: str

    def __post_init__(self) -> None:
        # Plain HTTP here; loading the public roots for each client would take most of the tests' time.
        self.http = httpx.AsyncClient(timeout=10, verify=False)

    async def close(self) -> None:
        await self.http.aclose()

    @property
    def api(self) -> str:
        return f"{self.root}/fineract/fineract-provider/api"

    def fineract(
        self,
        *,
        patience: float = 5,
        recorder: ExchangeRecorder = forget_exchange,
        username: str = "mifos",
        password: str = "password",
        tenant: str = "default",
        savings_external_ids: bool = False,
        timezone: str = ZONE,
        collections: bool = True,
    ) -> Fineract:
        endpoint = Endpoint(self.api, verify_tls=False, read_timeout=timedelta(seconds=patience), rules=LOOPBACK)
        credentials = FineractCredentials(
            username=username,
            password=password,
            tenant=tenant,
            savings_external_ids=savings_external_ids,
            timezone=timezone,
            collections=collections,
        )
        return Fineract(endpoint, credentials, recorder=recorder)

    # ------------------------------------------------------------------------------------------------------- as staff

    async def tenant(self, tenant: str, **settings: Any) -> None:
        await self._made("tenants", {"tenant": tenant, **settings})

    async def client(self, **facts: Any) -> int:
        made = await self._made("clients", {"displayName": "Achieng Otieno", "mobileNo": "0712 000 111", **facts})
        return int(made["id"])

    async def loan(self, **facts: Any) -> int:
        """The id of a loan of 10,000 approved a week ago, for a new client unless one is given."""
        if "clientId" not in facts:
            facts["clientId"] = await self.client(tenant=facts.get("tenant", "default"))
        week_ago = (today() - timedelta(days=7)).isoformat()
        made = await self._made("loans", {"productId": 1, "principal": "10000", "approvedOn": week_ago, **facts})
        return int(made["id"])

    async def loans(self, count: int) -> list[int]:
        client_id = await self.client()
        return sorted(await asyncio.gather(*(self.loan(clientId=client_id) for _ in range(count))))

    async def active_loan(self, **facts: Any) -> int:
        """The id of a loan of 10,000 that was disbursed a week ago and owes all of it, unless `outstanding` says less."""
        return await self.loan(status="active", **facts)

    async def savings(self, **facts: Any) -> int:
        """The id of an empty savings account, active for a week."""
        if "clientId" not in facts:
            facts["clientId"] = await self.client(tenant=facts.get("tenant", "default"))
        week_ago = (today() - timedelta(days=7)).isoformat()
        return int((await self._made("savings", {"activatedOn": week_ago, **facts}))["id"])

    async def payable(self, kind: AccountKind) -> int:
        """The id of an account of this kind that takes payments."""
        return await (self.active_loan() if kind == "loan" else self.savings())

    async def fault(self, operation: str, action: str, **more: Any) -> None:
        script = {"faults": [{"operation": operation, "action": action, **more}]}
        answer = await self.http.post(f"{self.root}/faults", json=script)
        assert answer.status_code == 201, answer.text

    async def books(self) -> dict[int, dict[str, Any]]:
        return {row["id"]: row for row in (await self.http.get(f"{self.root}/books/loans")).json()}

    async def book(self, loan_id: int) -> dict[str, Any]:
        return (await self.books())[loan_id]

    async def disbursals(self, loan_id: int) -> list[dict[str, Any]]:
        """What the books have as standing disbursals of the loan."""
        items = (await self.book(loan_id))["transactions"]
        return [item for item in items if item["type"] == "disbursement" and not item["reversed"]]

    async def savings_book(self, savings_id: int) -> dict[str, Any]:
        rows: list[dict[str, Any]] = (await self.http.get(f"{self.root}/books/savings")).json()
        return next(row for row in rows if row["id"] == savings_id)

    async def payments(self, kind: AccountKind, account_id: int) -> list[dict[str, Any]]:
        """What the books have as standing repayments or deposits of the account."""
        book = await (self.book(account_id) if kind == "loan" else self.savings_book(account_id))
        wanted = "repayment" if kind == "loan" else "deposit"
        return [item for item in book["transactions"] if item["type"] == wanted and not item["reversed"]]

    # -------------------------------------------------------------------------------------------------- as the protocol

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, tenant: str = "default", **query: str
    ) -> httpx.Response:
        headers = {
            "Authorization": f"Basic {b64encode(b'mifos:password').decode()}",
            "Fineract-Platform-TenantId": tenant,
        }
        if key:
            headers["Idempotency-Key"] = key
        return await self.http.request(method, f"{self.api}/v1{path}", json=body, params=query, headers=headers)

    async def command(self, loan_id: int, command: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        return await self.call("POST", f"/loans/{loan_id}", body or {}, key=key, command=command)

    async def pay(
        self, kind: AccountKind, account_id: int, body: Any, *, key: str | None = None, tenant: str = "default"
    ) -> httpx.Response:
        folder, command = ("loans", "repayment") if kind == "loan" else ("savingsaccounts", "deposit")
        path = f"/{folder}/{account_id}/transactions"
        return await self.call("POST", path, body, key=key, tenant=tenant, command=command)

    async def undo_payment(self, kind: AccountKind, account_id: int, transaction_id: int) -> httpx.Response:
        """As a person in the bank's own screen does it."""
        folder = "loans" if kind == "loan" else "savingsaccounts"
        day = {"dateFormat": "yyyy-MM-dd", "locale": "en", "transactionDate": today().isoformat()}
        body = day | {"transactionAmount": 0} if kind == "loan" else {}
        return await self.call("POST", f"/{folder}/{account_id}/transactions/{transaction_id}", body, command="undo")

    async def payment_type(self, name: str = "M-Pesa") -> int:
        """The id of a payment type, made if missing."""
        for row in (await self.call("GET", "/paymenttypes")).json():
            if row["name"] == name:
                return int(row["id"])
        return int((await self.call("POST", "/paymenttypes", {"name": name})).json()["resourceId"])

    async def _made(self, what: str, seed: dict[str, Any]) -> dict[str, Any]:
        answer = await self.http.post(f"{self.root}/fineract/simulator/{what}", json=seed)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), ZoneInfo(ZONE))


def disburse_body(**changes: Any) -> dict[str, Any]:
    """A good body; a change to None removes the field."""
    body = {
        "dateFormat": "yyyy-MM-dd",
        "locale": "en",
        "actualDisbursementDate": today().isoformat(),
        "transactionAmount": "10000.00",
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def disbursal(loan_id: int, **changes: Any) -> DisbursalPost:
    """Paid just now."""
    facts: dict[str, Any] = {
        "loan_id": loan_id,
        "amount": Money(1_000_000, "KES"),
        "paid_at": utc_now(),
        "payment_type": "M-Pesa",
        "receipt": f"SFT{loan_id}K2QX9P",
        "account": "254712000111",
        "external_id": f"kvk-d-{loan_id}",
        "idempotency_key": f"kvk:d:{loan_id}:1",
        "note": "M-Pesa B2C",
    }
    return DisbursalPost(**(facts | changes))


def pay_body(**changes: Any) -> dict[str, Any]:
    """A good body of a repayment or deposit of 1,500; a change to None removes the field."""
    body = {
        "dateFormat": "yyyy-MM-dd",
        "locale": "en",
        "transactionDate": today().isoformat(),
        "transactionAmount": "1500.00",
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def payment(kind: AccountKind, account_id: int, **changes: Any) -> PaymentPost:
    """A payment of 1,500 by its own receipt."""
    facts: dict[str, Any] = {
        "kind": kind,
        "account_id": account_id,
        "amount": Money(150_000, "KES"),
        "paid_at": utc_now(),
        "payment_type": "M-Pesa",
        "receipt": f"SFU{account_id}B2C3D4",
        "payer": "254712000111",
        "external_id": f"mpesa-SFU{account_id}B2C3D4",
        "idempotency_key": f"kvk:r:{kind}:{account_id}:1",
        "note": "Paybill 600123",
    }
    return PaymentPost(**(facts | changes))
