"""What needs attention."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field

from api.http.values import MoneyOut, Out, example
from api.operations import attention_words
from api.operations.case_facts import facts_of
from api.saga.links import LINK, SagaLink
from core.errors import InvalidRequest
from core.money import Money
from models import kinds
from models.messages.saga.cases import KINDS
from store.saga.attention import Row

_PROBLEM: dict[str, Any] = {
    "problem": "posting", "means": "The money has moved, and the core bank has not booked it.",
    "id": "dsb_01ktv0r5m8e9a7d3c2b4x6y8z0", "href": LINK["href"], "since": "2026-11-21T06:14:03Z", "age_seconds": 1800,
    "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0", "lender": "Jaza Sacco", "saga": LINK, "phone": "+2547•••••678",
    "name": "Jane Wanjiku", "account": "000000091", "amount": {"amount": "12500.00", "currency": "KES"},
    "receipt": "UKL4X7QW2D", "money": "with_client", "why": "Fineract: Fineract was still working on the account.",
    "says": "Fineract has not booked the disbursement yet: the loan is locked", "code": "loan_locked", "tries": 12,
    "next_step": "It is booked again.", "next_at": "2026-11-21T06:44:05Z", "owner": None, "case_id": None, "case_kind": None,
    "actions": [],
}  # fmt: skip


class ProblemOut(Out):
    """One problem. `since` is when it began; `why` is the reason as people read it, `says` what was written down of it,
    `tries` how often it was tried. `next_step` is what happens by itself, `next_at` when. `money` is where it is now:
    `with_client` (or whoever is paid), `unknown`, `with_us` (on our or the lender's accounts), `with_payer`; null where no
    money is in question. `owner` is the key of whoever looks at its case; `actions` is what its saga takes as a
    decision."""

    model_config = example(**_PROBLEM)

    problem: str
    means: str
    id: str
    href: str | None
    since: datetime
    age_seconds: int
    partner_id: str | None
    lender: str | None
    saga: SagaLink | None
    phone: str | None = Field(description="The client's or payer's, masked")
    name: str | None
    account: str | None
    amount: MoneyOut | None
    receipt: str | None
    money: Literal["with_client", "unknown", "with_us", "with_payer"] | None
    why: str | None
    says: str | None
    code: str | None
    tries: int | None
    next_step: str
    next_at: datetime | None
    owner: str | None
    case_id: str | None
    case_kind: str | None
    actions: list[str]

    @classmethod
    def of(cls, row: Row, lender: str | None, now: datetime) -> Self:
        told, saga = facts_of(row.evidence), row.saga
        return cls.model_validate(
            {
                **{name: getattr(row, name) for name in cls.model_fields if name != "saga" and hasattr(row, name)},
                "means": attention_words.means(row),
                "href": _href(row),
                "age_seconds": int((now - row.since).total_seconds()),
                "lender": lender,
                "saga": saga and SagaLink.to(saga.workflow_id, saga.id, saga.stage, ended=saga.ended_at is not None),
                "phone": (saga and saga.masked_phone) or told["phone"],
                "name": saga and saga.name,
                "account": (saga and saga.account) or told["account"],
                "amount": MoneyOut.of(saga.amount) if saga and saga.amount else _amount(told["amount"]),
                "receipt": (saga and saga.receipt) or told["receipt"],
                "why": attention_words.why(row),
                "next_step": attention_words.next_step(row),
                "case_kind": row.about if row.case_id and row.about in KINDS else None,
                "actions": list(KINDS[row.about].actions) if row.case_id and row.about in KINDS else [],
            }
        )


def _href(row: Row) -> str | None:
    if row.case_id is not None:
        return f"/api/v1/cases/{row.case_id}"
    if row.problem == "approval":
        return f"/api/v1/approvals/{row.id}"
    if row.problem == "connection":
        return f"/api/v1/partners/{row.partner_id}"
    if row.saga is not None:
        return f"/api/v1{kinds.named(row.saga.kind).path}/{row.saga.id}"
    return None


def _amount(text: str | None) -> MoneyOut | None:
    """What a case's evidence says, such as "KES 12,500.00"."""
    if text is None:
        return None
    currency, amount = text[:3], text[3:].strip().replace(",", "")
    try:
        return MoneyOut.of(Money.parse(amount, currency))
    except InvalidRequest:
        return None
