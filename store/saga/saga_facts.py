"""What tells one payment from another in any list: whose, how much, to or from whom, by which receipt. Of every kind alike:
a kind says with its columns what they are (`models/tables/searched.py`)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.money import Money
from core.msisdn import Msisdn
from models import kinds
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.saga.payout_attempt import PayoutAttempt
from models.tables.saga.saga_row import MoneyInRow, SagaRow
from models.tables.searched import What
from store.saga import saga_rows

_MOST_RECEIPTS: Final = 5


@dataclass(frozen=True, slots=True)
class SagaFacts:
    """One saga's row in the words that all kinds share. `phone` is E.164 and never shown but masked; `amount` is None while
    nobody knows it yet."""

    kind: str
    id: str
    workflow_id: str
    partner_id: str
    stage: str
    created_at: datetime
    ended_at: datetime | None
    reason_code: str | None
    reason: str | None
    next_try_at: datetime | None
    amount: Money | None
    account: str | None
    phone: str | None
    name: str | None
    receipts: tuple[str, ...]

    @property
    def masked_phone(self) -> str | None:
        return Msisdn(self.phone).masked if self.phone else None

    @property
    def receipt(self) -> str | None:
        return ", ".join(self.receipts) or None


async def of_workflows(session: AsyncSession, workflow_ids: Collection[str]) -> dict[str, SagaFacts]:
    """Those of these sagas that have a row, by workflow id."""
    rows = await saga_rows.of_workflows(session, workflow_ids)
    return await of_rows(session, rows.values())


async def of_rows(session: AsyncSession, rows: Iterable[SagaRow]) -> dict[str, SagaFacts]:
    """By workflow id. What a row does not say itself is read from its payments, of all rows at once."""
    facts = {row.workflow_id: _of_row(row) for row in rows}
    lacking = [one.workflow_id for one in facts.values() if not (one.phone and one.receipts)]
    if not lacking:
        return facts
    out = [name for name in lacking if (kind := kinds.of_workflow(name)) and kind.money != "in"]
    taking = [name for name in lacking if (kind := kinds.of_workflow(name)) and kind.takes_money]
    if out:
        for attempt in await session.exec(
            select(PayoutAttempt)
            .where(col(PayoutAttempt.workflow_id).in_(out), PayoutAttempt.state != "void")
            .order_by(col(PayoutAttempt.created_at))
        ):
            facts[attempt.workflow_id] = _with(facts[attempt.workflow_id], attempt.msisdn, None, attempt.receipt)
    if taking:
        for payment in await session.exec(
            select(IncomingPayment)
            .where(col(IncomingPayment.claimed_by).in_(taking))
            .order_by(col(IncomingPayment.created_at))
        ):
            assert payment.claimed_by is not None
            before = facts[payment.claimed_by]
            facts[payment.claimed_by] = _with(before, payment.payer_phone, payment.payer_name, payment.external_id)
    return facts


def _with(facts: SagaFacts, phone: str | None, name: str | None, receipt: str | None) -> SagaFacts:
    """The row's own word stands before that of its payments."""
    receipts = facts.receipts
    if receipt and receipt not in receipts and len(receipts) < _MOST_RECEIPTS:
        receipts = (*receipts, receipt)
    return replace(facts, phone=facts.phone or phone, name=facts.name or name or None, receipts=receipts)


def _of_row(row: SagaRow) -> SagaFacts:
    said = _said(row)
    receipts = said.get("receipt", []) + list(getattr(row, "receipts", None) or [])
    accounts = said.get("account") or said.get("loan") or [None]
    return SagaFacts(
        kind=kinds.of_row(row).name,
        id=row.id,
        workflow_id=row.workflow_id,
        partner_id=row.partner_id,
        stage=row.stage,
        created_at=row.created_at,
        ended_at=row.ended_at,
        reason_code=row.reason_code,
        reason=row.reason,
        next_try_at=row.next_try_at,
        amount=_amount(row),
        account=accounts[0],
        phone=(said.get("phone") or [None])[0],
        name=(said.get("name") or [None])[0],
        receipts=tuple(dict.fromkeys(receipts))[:_MOST_RECEIPTS],
    )


def _said(row: SagaRow) -> dict[What, list[Any]]:
    """What the row's columns hold of each thing that it is found by."""
    said: dict[What, list[Any]] = {}
    for term in row.search.by:
        value = getattr(row, term.column)
        if value not in (None, ""):
            said.setdefault(term.what, []).append(str(value))
    return said


def _amount(row: SagaRow) -> Money | None:
    if isinstance(row, MoneyInRow):
        return row.amount
    minor: int | None = getattr(row, "amount_minor", None)
    currency: str | None = getattr(row, "currency", None)
    return None if minor is None or currency is None else Money(minor, currency)
