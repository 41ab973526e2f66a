"""Loan disbursements as lists and pages read them."""

from datetime import date
from typing import ClassVar, Final

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from models.tables.saga.saga_row import SagaRow, by_client_reference, by_time
from models.tables.searched import Term, found_by

# What each means to the lender who reads it.
STAGES: Final[dict[str, str]] = {
    "requested": "Its saga is about to look at the loan and to set the charges aside.",
    "waiting_funds": "The wallet holds too little for the charges. It goes on by itself after a top-up.",
    "waiting_limit": "The product's daily limit is used up. It goes on by itself when there is room.",
    "waiting_date": "Fineract expects or allows it on a later day. It goes on by itself when that day begins.",
    "paying": "The payout is on its way to the client, or M-Pesa is being asked what became of it.",
    "in_review": "Nobody has said what became of the payout, or only a part was paid: a person decides.",
    "approval": "A person says that nothing was paid; a second one must agree.",
    "posting": "The client has the money; Fineract is being told.",
    "post_review": "The client has the money and Fineract does not book it. It is tried again every 15 minutes.",
    "settling": "It is booked; charges are taken and people are told.",
    "completed": "Ended: the client has the money and the lender has booked it.",
    "refused": "Ended before anything was sent: the loan, its client or a limit does not allow it.",
    "failed": "Ended: M-Pesa did not pay, and the charges went back.",
    "withdrawn": "Ended before anything was sent: cancelled here, or undone, rejected or paid in Fineract.",
}


# Ended without the client being paid: only after one of these may the same loan be paid by another saga.
UNPAID_ENDS = ("refused", "failed", "withdrawn")


_IN_UNPAID = "('refused', 'failed', 'withdrawn')"


class Disbursement(SagaRow, table=True):
    """One saga for one approved loan. The partial unique index is the true guard against two sagas paying one loan:
    Temporal forgets workflow ids after its retention, this table never does. `tenant_key` says in whose books the loan
    is, whichever partner asks: see `OutsideClaim`. `client_phone` (E.164) and `client_name` are the client's, as Fineract
    told them when the loan was last read."""

    __tablename__ = "disbursements"
    __table_args__ = (
        UniqueConstraint("tenant_key", "loan_id", "round"),
        Index(
            "uq_disbursements_living_loan", "tenant_key", "loan_id", unique=True,
            postgresql_where=text(f"stage NOT IN {_IN_UNPAID}"),
        ),
        Index("ix_disbursements_partner_id_id", "partner_id", "id"),
        by_client_reference("disbursements"),
        by_time("disbursements"),
        Index("ix_disbursements_stage", "stage", postgresql_where=text("ended_at IS NULL")),
        found_by("disbursements", "loan_id", "id"),
        found_by("disbursements", "account_no", "id"),
        Index("ix_disbursements_reserved", "partner_id", "product_id", "reserved_on"),
        CheckConstraint(f"stage IN {tuple(STAGES)}", name="stage"),
        CheckConstraint("source IN ('poll', 'hook', 'api')", name="source"),
    )  # fmt: skip

    personal = ("client_phone", "client_name")
    stages: ClassVar[dict[str, str]] = STAGES
    moved_column: ClassVar[str] = "paid_minor"
    search = SagaRow.search.also_by(
        Term("loan_id", "loan", "number"), Term("account_no", "account"), Term("client_phone", "phone"),
        Term("client_name", "name"),
    )  # fmt: skip

    tenant_key: str = Field(sa_column=Column(Text, nullable=False))
    loan_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    round: int = Field(sa_column=Column(BigInteger, nullable=False))
    source: str = Field(sa_column=Column(Text, nullable=False))
    product_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    account_no: str | None = Field(default=None, sa_column=Column(Text))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int | None = Field(default=None, sa_column=Column(BigInteger))
    principal_minor: int | None = Field(default=None, sa_column=Column(BigInteger))
    charges_minor: int | None = Field(default=None, sa_column=Column(BigInteger))
    paid_minor: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    reserved_on: date | None = Field(default=None, sa_column=Column(Date))
    receipts: list[str] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    transaction_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    approved_on: date | None = Field(default=None, sa_column=Column(Date))
    client_phone: str | None = Field(default=None, sa_column=Column(Text))
    client_name: str | None = Field(default=None, sa_column=Column(Text))
