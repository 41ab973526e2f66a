"""What Fineract shows of a payment against what moved: the rules of the daily comparison, a pure function per kind of row."""

from collections.abc import Sequence
from typing import Any, Final

from core.money import Money
from models.messages.reconciliation import Difference
from models.tables.lending.customer_collection import Collection
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.saga.payout_attempt import PayoutAttempt
from providers.ports import Loan, LoanDisbursal
from providers.repayments import RecordedPayment

_PREFIX: Final = "reconciliation"


def of_disbursement(row: Disbursement, paid: Sequence[PayoutAttempt], loan: Loan | None) -> list[Difference]:
    """Three sides of one loan: what M-Pesa paid by our instructions, what our row says, what Fineract booked. `loan` None:
    Fineract does not know it."""
    found: list[Difference] = []
    currency = row.currency
    moved = Money(sum(attempt.amount_minor for attempt in paid), currency)
    said = Money(row.paid_minor, currency)
    facts = {"account_no": row.account_no or "-", "loan_id": str(row.loan_id), "receipts": ", ".join(row.receipts)}
    if moved != said:
        found.append(
            Difference(
                kind="listing_differs",
                key=_key(row, "paid"),
                subject=row.workflow_id,
                workflow_id=row.workflow_id,
                summary=f"Loan {_name(row)}: M-Pesa paid {moved}, our books say {said}.",
                evidence={**facts, "paid_by_mpesa": str(moved), "in_our_books": str(said)},
            )
        )
    standing = [] if loan is None else [item for item in loan.disbursals if not item.reversed]
    ours = [item for item in standing if _is_ours(item, row)]
    # The client got the net amount; the books take the gross one, unless only a part could be paid.
    whole = row.principal_minor is not None and row.paid_minor == row.amount_minor
    due = Money(row.principal_minor if whole and row.principal_minor is not None else row.paid_minor, currency)
    if not ours and row.transaction_id is None:  # booked by hand, and nobody said as what
        ours = [item for item in standing if item.amount == due]
    booked = {"booked": _listed(standing), "moved": str(moved), "due": str(due)}
    if not ours:
        found.append(
            Difference(
                kind="booking_missing",
                key=_key(row, "missing"),
                subject=row.workflow_id,
                workflow_id=row.workflow_id,
                summary=f"Loan {_name(row)}: {moved} was paid, and Fineract shows no disbursement of it.",
                evidence={**facts, **booked},
            )
        )
    elif len(standing) > 1:
        found.append(
            Difference(
                kind="booked_twice",
                key=_key(row, "twice"),
                subject=row.workflow_id,
                workflow_id=row.workflow_id,
                summary=f"Loan {_name(row)} was paid once, and Fineract shows {len(standing)} disbursements.",
                evidence={**facts, **booked},
            )
        )
    elif ours[0].amount != due:
        found.append(
            Difference(
                kind="booking_differs",
                key=_key(row, "amount"),
                subject=row.workflow_id,
                workflow_id=row.workflow_id,
                summary=f"Loan {_name(row)}: Fineract shows {ours[0].amount} disbursed instead of {due}.",
                evidence={**facts, **booked},
            )
        )
    return found


def of_collection(
    row: Collection, number: int, part: dict[str, Any], payments: Sequence[RecordedPayment] | None
) -> list[Difference]:
    """One part of a customer's payment. `payments`: what the account shows of that amount and about that day; None if
    Fineract does not know the account."""
    amount = Money(int(part["amount_minor"]), row.currency)
    receipt = row.receipt or ""
    label = receipt if number == 1 else f"{receipt}-{number}"
    standing = [item for item in payments or () if not item.reversed]
    ours = [item for item in standing if _is_of(item, label, f"mpesa-{label}", part.get("transaction_id"))]
    if not ours and part.get("by_hand") and part.get("transaction_id") is None:
        ours = [item for item in standing if item.amount == amount]
    account = f"{part['kind']} {part['account_no']}"
    facts = {
        "account": account, "receipt": receipt, "due": str(amount),
        "booked": ", ".join(f"{item.amount} as {item.transaction_id}" for item in ours) or "-",
    }  # fmt: skip
    if not ours:
        summary = f"Payment {receipt}: {amount} came in, and Fineract does not show it on {account}."
        return [Difference(kind="booking_missing", **_of_part(row, number, "missing", summary, facts))]
    if len(ours) > 1:
        summary = f"Payment {receipt} came in once, and Fineract shows it {len(ours)} times on {account}."
        return [Difference(kind="booked_twice", **_of_part(row, number, "twice", summary, facts))]
    if ours[0].amount != amount:
        summary = f"Payment {receipt}: Fineract shows {ours[0].amount} on {account} instead of {amount}."
        return [Difference(kind="booking_differs", **_of_part(row, number, "amount", summary, facts))]
    return []


def _is_ours(item: LoanDisbursal, row: Disbursement) -> bool:
    told = {part.strip().casefold() for part in (item.receipt or "").split(",")}
    return (
        item.external_id == f"kvk-d-{row.id}"
        or (row.transaction_id is not None and item.transaction_id == row.transaction_id)
        or any(receipt.casefold() in told for receipt in row.receipts)
    )


def _is_of(item: RecordedPayment, label: str, external_id: str, transaction_id: object) -> bool:
    return (
        item.external_id == external_id
        or (transaction_id is not None and item.transaction_id == transaction_id)
        or (bool(label) and (item.receipt or "").strip().casefold() == label.casefold())
    )


def _of_part(row: Collection, number: int, what: str, summary: str, facts: dict[str, str]) -> dict[str, Any]:
    return {
        "key": _key(row, f"{what}:{number}"), "subject": row.workflow_id, "workflow_id": row.workflow_id,
        "summary": summary, "evidence": facts,
    }  # fmt: skip


def _key(row: Disbursement | Collection, what: str) -> str:
    return f"{_PREFIX}:{row.id}:{what}"


def _name(row: Disbursement) -> str:
    return row.account_no or str(row.loan_id)


def _listed(standing: Sequence[LoanDisbursal]) -> str:
    return ", ".join(f"{item.amount} as {item.transaction_id}" for item in standing) or "-"
