"""The second floor: the same disbursement as a textbook writes it, which is what Kivuko's users would write instead.

The same calls to the outside (loan, client, payout, posting, two SMS), a callback that signals the workflow, and the usual
five activities, each with its SQLModel transaction. No inbox, no exchange log, no holds, no sealing, no review: a timeout of
the payout pays twice here, and a callback that comes while Temporal is away is lost.

`main` is its worker and its API in one process, started by `benchmarks/textbook_cost.py`, which writes what it must know to
its standard input.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import httpx
import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from core.clock import local_date, utc_now
from core.money import Money
from core.msisdn import Msisdn
from providers.daraja.requests import B2cOrder, DarajaCredentials, b2c_request
from providers.fineract.wire import spell_amount, spell_date
from store.database import sqlalchemy_url

QUEUE: Final = "textbook"
_FEES: Final = {"mpesa_b2c": 1300, "processing": 1000, "sms": 200}
_A_MINUTE: Final = timedelta(minutes=1)


class Known(BaseModel):
    """What the process must know of the stack. Amounts are cents."""

    database_url: str
    temporal: str
    port: int
    fineract_url: str
    fineract_headers: dict[str, str]
    daraja_url: str
    daraja: dict[str, Any]
    sms_url: str
    sms_key: str
    lender_phone: str

    @property
    def callback_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/paid"


# ------------------------------------------------------------------------------------------------------------- its tables


class Row(SQLModel, registry=registry()):
    """Their metadata is their own."""


class Wallet(Row, table=True):
    __tablename__ = "textbook_wallets"
    id: str = Field(primary_key=True)
    balance: int


class Payout(Row, table=True):
    __tablename__ = "textbook_payouts"
    id: str = Field(primary_key=True)
    loan_id: int
    status: str
    phone: str | None = None
    amount: int | None = None
    conversation: str | None = None
    receipt: str | None = None
    transaction_id: int | None = None


class Fee(Row, table=True):
    __tablename__ = "textbook_fees"
    id: int | None = Field(default=None, primary_key=True)
    payout_id: str = Field(index=True)
    kind: str
    amount: int
    status: str


class Sms(Row, table=True):
    __tablename__ = "textbook_sms"
    id: int | None = Field(default=None, primary_key=True)
    payout_id: str = Field(index=True)
    phone: str
    text: str


# ----------------------------------------------------------------------------------------------------------- its workflow


class Order(BaseModel):
    payout_id: str
    loan_id: int


class Plan(BaseModel):
    order: Order
    account_no: str
    name: str
    phone: str
    amount: int


class Outcome(BaseModel):
    code: int
    receipt: str | None = None


class Booking(BaseModel):
    plan: Plan
    receipt: str


@workflow.defn(name="TextbookDisbursement")
class Disbursement:
    def __init__(self) -> None:
        self.outcome: Outcome | None = None

    @workflow.run
    async def run(self, order: Order) -> str:
        plan: Plan = await workflow.execute_activity_method(Activities.reserve, order, start_to_close_timeout=_A_MINUTE)
        await workflow.execute_activity_method(Activities.pay, plan, start_to_close_timeout=_A_MINUTE)
        await workflow.wait_condition(lambda: self.outcome is not None)
        assert self.outcome is not None
        if self.outcome.receipt is None:
            return "failed"
        booking = Booking(plan=plan, receipt=self.outcome.receipt)
        for step in (Activities.post, Activities.settle, Activities.notify):
            await workflow.execute_activity_method(step, booking, start_to_close_timeout=_A_MINUTE)
        return "completed"

    @workflow.signal
    def paid(self, outcome: Outcome) -> None:
        self.outcome = outcome


# --------------------------------------------------------------------------------------------------------- its activities


class Activities:
    def __init__(self, known: Known, engine: AsyncEngine, http: httpx.AsyncClient) -> None:
        self.known, self.engine, self.http = known, engine, http
        self.credentials = DarajaCredentials.model_validate(known.daraja)
        self.token = ""
        self.payment_type = 0

    @activity.defn(name="textbook.reserve")
    async def reserve(self, order: Order) -> Plan:
        wanted = {"associations": "transactions,repaymentSchedule"}
        loan = await self.read(f"/v1/loans/{order.loan_id}", wanted)
        client = await self.read(f"/v1/clients/{loan['clientId']}")
        async with AsyncSession(self.engine) as session, session.begin():
            payout = (await session.exec(select(Payout).where(Payout.id == order.payout_id))).one()
            wallet = (await session.exec(select(Wallet).with_for_update())).one()
            wallet.balance -= sum(_FEES.values())
            payout.status, payout.phone = "reserved", client["mobileNo"]
            payout.amount = round(loan["approvedPrincipal"] * 100)
            session.add_all(
                Fee(payout_id=payout.id, kind=kind, amount=amount, status="held") for kind, amount in _FEES.items()
            )
            return Plan(
                order=order, account_no=loan["accountNo"], name=client["displayName"], phone=payout.phone,
                amount=payout.amount,
            )  # fmt: skip

    @activity.defn(name="textbook.pay")
    async def pay(self, plan: Plan) -> None:
        reference = plan.order.payout_id
        url = f"{self.known.callback_url}/{reference}"
        msisdn = Msisdn(f"+{plan.phone.lstrip('+')}")
        order = B2cOrder(reference, msisdn, Money(plan.amount, "KES"), f"Loan {plan.account_no}", url, url)
        body = b2c_request(order, self.credentials)
        answer = await self.http.post(
            f"{self.known.daraja_url}/mpesa/b2c/v3/paymentrequest", json=body,
            headers={"Authorization": f"Bearer {self.token}"},
        )  # fmt: skip
        answer.raise_for_status()
        await self.change(reference, status="sent", conversation=answer.json()["ConversationID"])

    @activity.defn(name="textbook.post")
    async def post(self, booking: Booking) -> None:
        plan = booking.plan
        today = spell_date(local_date(utc_now(), "Africa/Nairobi"))
        body = {
            "dateFormat": "yyyy-MM-dd", "locale": "en", "actualDisbursementDate": today,
            "paymentTypeId": self.payment_type, "transactionAmount": spell_amount(Money(plan.amount, "KES")),
            "receiptNumber": booking.receipt, "accountNumber": plan.phone, "externalId": plan.order.payout_id,
            "note": f"M-Pesa {booking.receipt}",
        }  # fmt: skip
        answer = await self.http.post(
            f"{self.known.fineract_url}/v1/loans/{plan.order.loan_id}", params={"command": "disburse"}, json=body,
            headers={**self.known.fineract_headers, "Idempotency-Key": plan.order.payout_id},
        )  # fmt: skip
        answer.raise_for_status()
        await self.change(plan.order.payout_id, status="posted", transaction_id=answer.json().get("subResourceId"))

    @activity.defn(name="textbook.settle")
    async def settle(self, booking: Booking) -> None:
        async with AsyncSession(self.engine) as session, session.begin():
            fees = await session.exec(select(Fee).where(Fee.payout_id == booking.plan.order.payout_id))
            for fee in fees:
                fee.status = "captured"
            payout = (await session.exec(select(Payout).where(Payout.id == booking.plan.order.payout_id))).one()
            payout.status = "completed"

    @activity.defn(name="textbook.notify")
    async def notify(self, booking: Booking) -> None:
        plan = booking.plan
        text = f"Dear {plan.name}, your loan {plan.account_no} is paid by M-Pesa, receipt {booking.receipt}."
        for phone in (plan.phone, self.known.lender_phone):
            query = {
                "action": "send-sms", "api_key": self.known.sms_key, "to": phone.lstrip("+"), "from": "KIVUKO",
                "sms": text, "response": "json",
            }  # fmt: skip
            (await self.http.get(f"{self.known.sms_url}/sms/api", params=query)).raise_for_status()
        async with AsyncSession(self.engine) as session, session.begin():
            for phone in (plan.phone, self.known.lender_phone):
                session.add(Sms(payout_id=plan.order.payout_id, phone=phone, text=text))

    async def read(self, path: str, params: dict[str, str] | None = None) -> Any:
        answer = await self.http.get(
            f"{self.known.fineract_url}{path}", params=params, headers=self.known.fineract_headers
        )
        answer.raise_for_status()
        return answer.json()

    async def change(self, payout_id: str, **values: Any) -> None:
        async with AsyncSession(self.engine) as session, session.begin():
            payout = (await session.exec(select(Payout).where(Payout.id == payout_id))).one()
            for name, value in values.items():
                setattr(payout, name, value)

    async def open(self) -> None:
        """A token and the payment type's id, which everybody keeps."""
        keys = (self.credentials.consumer_key, self.credentials.consumer_secret)
        url = f"{self.known.daraja_url}/oauth/v1/generate"
        answer = await self.http.get(url, params={"grant_type": "client_credentials"}, auth=keys)
        self.token = answer.json()["access_token"]
        kinds = await self.read("/v1/paymenttypes")
        self.payment_type = next(kind["id"] for kind in kinds if kind["name"] == "M-Pesa")


# ---------------------------------------------------------------------------------------------------------------- its API


def api(client: Client, activities: Activities) -> FastAPI:
    app = FastAPI()

    @app.post("/paid/{payout_id}")
    async def paid(payout_id: str, request: Request) -> dict[str, object]:
        result = (await request.json())["Result"]
        parameters = (result.get("ResultParameters") or {}).get("ResultParameter") or []
        found = {item["Key"]: item.get("Value") for item in parameters}
        receipt = found.get("TransactionReceipt") or result.get("TransactionID")
        outcome = Outcome(code=int(result["ResultCode"]), receipt=receipt if int(result["ResultCode"]) == 0 else None)
        await activities.change(payout_id, status="paid" if outcome.receipt else "failed", receipt=outcome.receipt)
        await client.get_workflow_handle(f"textbook/{payout_id}").signal(Disbursement.paid, outcome)
        return {"ResultCode": 0, "ResultDesc": "Accepted"}

    return app


@asynccontextmanager
async def engine_of(url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(sqlalchemy_url(url), pool_size=10, max_overflow=10)
    try:
        yield engine
    finally:
        await engine.dispose()


async def make_tables(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Row.metadata.create_all)
    async with AsyncSession(engine) as session, session.begin():
        session.add(Wallet(id="lender", balance=50_000_000))


async def begin(engine: AsyncEngine, client: Client, payout_id: str, loan_id: int) -> str:
    """What a caller does: a row, then the workflow. Returns its workflow id, once it has ended well."""
    async with AsyncSession(engine) as session, session.begin():
        if (await session.exec(select(Payout.id).where(col(Payout.loan_id) == loan_id))).first() is None:
            session.add(Payout(id=payout_id, loan_id=loan_id, status="requested"))
    workflow_id = f"textbook/{payout_id}"
    ended: str = await client.execute_workflow(
        Disbursement.run, Order(payout_id=payout_id, loan_id=loan_id), id=workflow_id, task_queue=QUEUE
    )
    assert ended == "completed", (workflow_id, ended)
    return workflow_id


async def connect(known: Known) -> Client:
    return await Client.connect(known.temporal, data_converter=pydantic_data_converter)


async def main() -> None:
    known = Known.model_validate_json(sys.stdin.readline())
    client = await connect(known)
    async with engine_of(known.database_url) as engine, httpx.AsyncClient(timeout=30) as http:
        activities = Activities(known, engine, http)
        await activities.open()
        config = uvicorn.Config(api(client, activities), host="127.0.0.1", port=known.port, log_level="warning")
        restrictions = SandboxRestrictions.default.with_passthrough_modules(
            "benchmarks", "core", "providers", "store", "models", "fastapi", "uvicorn", "sqlmodel", "sqlalchemy", "httpx",
        )  # fmt: skip
        worker = Worker(
            client, task_queue=QUEUE, workflows=[Disbursement],
            activities=[activities.reserve, activities.pay, activities.post, activities.settle, activities.notify],
            workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
        )  # fmt: skip
        async with worker:
            await uvicorn.Server(config).serve()
