"""A partner's wallet: what is in it, what is promised away, and how it came about."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from api.http.values import Body, MoneyOut, Note, Out, PositiveMoney, example
from ledger.balances import Balance, EntryView


class WalletOut(Out):
    """`available` = `balance` − `held`; held is promised to charges of payouts under way."""

    model_config = example(
        partner_id="prt_01ktv0r5m8e9a7d3c2b4x6y8z0", balance={"amount": "1000.00", "currency": "KES"},
        held={"amount": "23.00", "currency": "KES"}, available={"amount": "977.00", "currency": "KES"},
    )  # fmt: skip

    partner_id: str
    balance: MoneyOut
    held: MoneyOut
    available: MoneyOut

    @classmethod
    def of(cls, partner_id: str, balance: Balance) -> Self:
        return cls(
            partner_id=partner_id,
            balance=MoneyOut.of(balance.posted),
            held=MoneyOut.of(balance.held),
            available=MoneyOut.of(balance.available),
        )


class WalletEntry(Out):
    """One line of the wallet. `change` is what it did to the balance: zero for a hold, which only sets money aside."""

    model_config = example(
        id="41", kind="capture", reason="mpesa_b2c", key="loan-disbursement/prt_…/91:hold:mpesa_b2c:1:capture",
        workflow_id=None, note="", change={"amount": "-11.00", "currency": "KES"},
        held={"amount": "-11.00", "currency": "KES"}, balance_before={"amount": "1000.00", "currency": "KES"},
        balance_after={"amount": "989.00", "currency": "KES"}, held_after={"amount": "12.00", "currency": "KES"},
        happened_at="2026-11-21T06:14:03Z", created_at="2026-11-21T06:14:05Z",
    )  # fmt: skip

    id: str
    kind: str
    reason: str
    key: str
    workflow_id: str | None
    note: str
    change: MoneyOut
    held: MoneyOut
    balance_before: MoneyOut | None
    balance_after: MoneyOut | None
    held_after: MoneyOut | None
    happened_at: datetime
    created_at: datetime

    @classmethod
    def of(cls, entry: EntryView) -> Self:
        return cls.model_validate(entry, from_attributes=True)


class CreditIn(Body):
    """Money that an admin books into the wallet. The reference is the bank's: the same one is booked once."""

    model_config = example(
        amount={"amount": "5000.00", "currency": "KES"}, reference="NCBA-FT26325X7K", note="transfer of 21 November"
    )

    amount: PositiveMoney
    reference: str = Field(strict=True, pattern=r"^[A-Za-z0-9._/\-]{3,60}$")
    note: Note = ""


class CreditOut(Out):
    """The credit, and the wallet as it was right after it."""

    model_config = example(
        reference="NCBA-FT26325X7K", amount={"amount": "5000.00", "currency": "KES"},
        balance={"amount": "6000.00", "currency": "KES"}, available={"amount": "5977.00", "currency": "KES"},
        status="booked",
    )  # fmt: skip

    reference: str
    amount: MoneyOut
    balance: MoneyOut
    available: MoneyOut
    status: Literal["booked", "already_booked"]
