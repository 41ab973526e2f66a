"""Every kind of case that is ever opened: what it means, and what a person may decide about it at the desk.

An action is a decision of `Verdict`, or "retry". A kind without actions waits for nobody: a person looks, does what must be
done elsewhere, and closes it with a reason.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from models.messages.saga.decisions import Verdict
from models.problems import Problem

RETRY: Final = "retry"
Action = Literal[
    "paid", "not_paid", "posted", "partial", "allocate", "returned", "approve", "decline", "retry",
]  # fmt: skip
DECISIONS: Final[tuple[str, ...]] = get_args(Verdict.model_fields["decision"].annotation)

# What each decision may carry beside its evidence; a fact that does not belong to it is a slip of the pen.
FACTS_OF: Final[dict[str, frozenset[str]]] = {
    "paid": frozenset({"receipt", "paid_at"}),
    "posted": frozenset({"transaction_id"}),
    "allocate": frozenset({"allocations"}),
    "approve": frozenset({"proposal"}),
    "decline": frozenset({"proposal"}),
}


@dataclass(frozen=True, slots=True)
class CaseKind:
    """`means` is one plain sentence for whoever opens the desk. `heals`: its saga gets over it by going on to its end; the
    others stay open for a person. `problem` is what it is in the list of all that needs attention."""

    means: str
    actions: tuple[Action, ...] = ()
    heals: bool = False
    problem: Problem = "decision"


KINDS: Final[dict[str, CaseKind]] = {
    # ------------------------------------------------------------------------------------------------- money that left
    "payout_unknown": CaseKind(
        "The provider has not said what became of a payout; nothing is undone until somebody knows.",
        ("paid", "not_paid", "approve", "decline", "retry"),
        heals=True,
        problem="unknown_outcome",
    ),
    "payout_contradiction": CaseKind("A report on a payout does not agree with what was recorded of it."),
    "payout_partial": CaseKind(
        "A part of a split loan was paid and the next part failed: pay the rest again, or post only what was paid.",
        ("partial", "retry"),
        heals=True,
    ),
    "loan_not_payable": CaseKind(
        "An approved loan cannot be served by one payout, or its client may not be paid: mend it in Fineract and start it "
        "again, or pay it by other ways."
    ),
    "loan_unreadable": CaseKind(
        "Fineract shows an approved loan that cannot be read; it is not paid until its record is mended."
    ),
    "report_unclaimed": CaseKind("A provider reported on a payout that no saga waits for."),
    "debit_unexplained": CaseKind("Money left a bank account and names no instruction of ours."),
    "connection_blocked": CaseKind(
        "A provider refuses a connection's credentials: give working ones, and what waits goes on by itself.",
        problem="connection",
    ),
    "transfer_back_failed": CaseKind(
        "A payment that failed was to be undone, and the money did not come back: mend the reason, then repeat the transfer.",
        ("retry",),
        heals=True,
    ),
    "paid_twice": CaseKind(
        "A loan seems to have been paid twice: by us, and by somebody else or by another attempt of ours. Ask both for it."
    ),
    "waiting_funds": CaseKind(
        "A loan waits because its lender's wallet holds too little for the charges; it goes on by itself after a top-up.",
        ("retry",),
        heals=True,
        problem="waiting_funds",
    ),
    # --------------------------------------------------------------------------------------------- money that came in
    "collection_unknown": CaseKind(
        "The provider says that the payer paid, and nobody has told the receipt.",
        ("paid", "not_paid", "approve", "decline"),
        heals=True,
        problem="unknown_outcome",
    ),
    "collection_contradiction": CaseKind("A report on a prompt does not agree with what was recorded of it."),
    "payment_contradiction": CaseKind("Two channels told different amounts or accounts of one payment."),
    "credit_failed": CaseKind(
        "Money for a wallet came in and something forbids its credit: mend it, then retry.",
        ("retry",),
        heals=True,
    ),
    "payment_unplaced": CaseKind(
        "A customer's payment came in and could not be placed: name its accounts, or say that it was given back.",
        ("allocate", "returned"),
        heals=True,
    ),
    "credit_unallocated": CaseKind(
        "A bank credit names no top-up: one person says whether it is this partner's, another agrees.",
        ("allocate", "returned", "approve", "decline"),
        heals=True,
    ),
    "credit_unnamed": CaseKind(
        "A credit on a bank statement bears no transaction id, so nothing may book it: match it by hand."
    ),
    "payment_row_unreadable": CaseKind(
        "M-Pesa's list of payments holds a row that cannot be read, or is of an unknown type: look it up on the portal."
    ),
    "statement_line_unreadable": CaseKind(
        "A line of a bank statement cannot be read, so nothing was booked of it: look it up at the bank."
    ),
    "announcement_unreadable": CaseKind(
        "A provider's message came and cannot be understood: have it read again once the reason is mended.",
        problem="delivery",
    ),
    "message_undelivered": CaseKind(
        "A provider's message was read and cannot be given to its saga; it is tried again by itself once that is mended.",
        problem="delivery",
    ),
    "push_forged": CaseKind(
        "Messages came that do not prove to be the bank's: if its secret was changed, give it and have them read again."
    ),
    "foreign_reference": CaseKind("One partner's channel brought news of a payment that was not made there."),
    "credit_elsewhere": CaseKind("Money came in on a bank account of the partner that feeds no wallet: move it."),
    "foreign_account": CaseKind("A bank told of a movement on an account that is not the partner's."),
    # ---------------------------------------------------------------------------------------- what is booked elsewhere
    "post_failed": CaseKind(
        "The money has moved and Fineract has not booked it: mend the reason and retry, or book it by hand.",
        ("posted", "retry"),
        heals=True,
        problem="posting",
    ),
    "core_banking_down": CaseKind(
        "Fineract does not say whose account a payment is for.",
        ("retry",),
        heals=True,
        problem="posting",
    ),
    "core_banking_refused": CaseKind(
        "Fineract refuses Kivuko's user, so the lender's loans wait: mend its password or permissions, then close this.",
        problem="connection",
    ),
    "claimed_elsewhere": CaseKind(
        "A partner gave a connection that names what another partner has: one of them is wrong. A claim is moved by two."
    ),
    # ------------------------------------------------------------------------------- what the daily comparison found
    "booked_twice": CaseKind(
        "Fineract shows one payment booked more than once: reverse what is too much. Closes by itself when it is gone."
    ),
    "booking_missing": CaseKind(
        "A payment moved and Fineract shows no booking of it, or it was undone there: book it by hand, or ask why."
    ),
    "booking_differs": CaseKind("Fineract shows a payment booked with another amount than moved: correct it there."),
    "payment_unknown": CaseKind(
        "M-Pesa or the bank shows a movement of money that is not in our books: find out what it is, and book it."
    ),
    "payment_unlisted": CaseKind(
        "Our books have a payment that M-Pesa or the bank does not list: it may be forged. Look there before anything else."
    ),
    "listing_differs": CaseKind("M-Pesa or the bank shows a payment with another amount than our books: ask there."),
    "balance_differs": CaseKind(
        "A bank account holds another sum than our books say: something moved there that nobody told of."
    ),
    "books_do_not_balance": CaseKind(
        "A check of the books found a breach; no money should move until it is explained."
    ),
}

# What closes with its saga's end.
HEALING: Final[tuple[str, ...]] = tuple(kind for kind, is_ in KINDS.items() if is_.heals)
