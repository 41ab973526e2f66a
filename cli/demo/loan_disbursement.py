"""One demo crossing: approve a loan, follow its disbursement, then hold every promise against the simulators' books."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from cli.demo.promises import Judged, Promise
from cli.demo.world import SimulatedWorld
from cli.errors import Failure
from cli.follow import Narrator, events
from cli.http import ApiClient, poll
from cli.kinds import ENDED

Trouble = Literal["none", "lost_callback", "unknown_outcome"]
_DETECTED_WITHIN: Final = 30.0
_ENDED_WITHIN: Final = 120.0
_MESSAGES_WITHIN: Final = 15.0
# M-Pesa says nothing for so long before it hangs up, having paid.
_SILENT_SECONDS: Final = 2


@dataclass
class Crossing(Judged):
    """What happened, as `--json` shows it."""

    trouble: Trouble
    loan_id: int
    disbursement_id: str
    stage: str = ""
    receipts: list[str] = field(default_factory=list)
    asked_by_hand: bool = False
    seconds: float = 0
    wallet_before: dict[str, Any] = field(default_factory=dict)
    wallet_after: dict[str, Any] = field(default_factory=dict)
    charges: list[dict[str, Any]] = field(default_factory=list)
    payouts: list[dict[str, Any]] = field(default_factory=list)
    loan: dict[str, Any] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    workflow_id: str = ""


class Ferry:
    """Carries one loan across. `poll_now` triggers the partner's polling schedule."""

    def __init__(
        self, api: ApiClient, world: SimulatedWorld, partner_id: str, narrator: Narrator, poll_now: Callable[[], None]
    ) -> None:
        self.api, self.world, self.partner_id, self.narrator = api, world, partner_id, narrator
        self.poll_now = poll_now

    def cross(self, amount: str, product_id: int, trouble: Trouble) -> Crossing:
        """Raises Failure if the loan is not even detected; everything else is a broken promise of the result."""
        before = self._wallet()
        client = self.world.make_client()
        phone = str(client["phone"])
        self._prepare_trouble(trouble, phone)
        loan_id = self.world.submit_loan(client["id"], amount, product_id)
        began = time.monotonic()
        self.world.approve(loan_id)
        self.narrator.aside(f"Loan {loan_id} of KES {Decimal(amount):,.2f} is approved in Fineract: its hook fires,")
        self.poll_now()
        self.narrator.aside("and the poll runs at the same moment. Both may see it; one saga pays it.")
        crossing = Crossing(trouble, loan_id, self._detected(loan_id), wallet_before=before)
        self._follow(crossing, phone)
        crossing.seconds = round(time.monotonic() - began, 2)
        self._collect(crossing, phone)
        crossing.promises = judge(crossing, Decimal(amount), self._disbursements(loan_id))
        return crossing

    def _prepare_trouble(self, trouble: Trouble, phone: str) -> None:
        if trouble == "unknown_outcome":
            self.world.script("daraja.b2c.send", "timeout_after_execution", phone, seconds=_SILENT_SECONDS)
        if trouble != "none":
            self.world.script("daraja.b2c.result", "lose", phone)

    def _detected(self, loan_id: int) -> str:
        for _ in poll(_DETECTED_WITHIN):
            if rows := self._disbursements(loan_id):
                return str(rows[0]["id"])
        raise Failure(
            f"Nobody noticed that loan {loan_id} was approved within {_DETECTED_WITHIN:g} s: neither hook nor poll. "
            "`kivuko doctor` may say why.",
            code="not_detected",
        )

    def _disbursements(self, loan_id: int) -> list[dict[str, Any]]:
        rows = self.api.get("/disbursements", partner_id=self.partner_id, limit=100)["items"]
        return [row for row in rows if row["loan_id"] == loan_id]

    def _follow(self, crossing: Crossing, phone: str) -> None:
        """To the end; when the loss can be seen in M-Pesa's books, an operator's `retry` saves the two minutes' wait."""
        path = f"/disbursements/{crossing.disbursement_id}"
        lost_since: float | None = None
        for _ in poll(_ENDED_WITHIN, every=0.2):
            row = self.api.get(path)
            for event in events(self.api, crossing.disbursement_id)[len(crossing.events) :]:
                crossing.events.append(event)
                self.narrator.tell(event)
            crossing.stage = row["stage"]
            if row["stage"] in ENDED:
                return
            if crossing.trouble == "none" or crossing.asked_by_hand or not self.world.payouts(phone):
                continue
            lost_since = lost_since or time.monotonic()
            # A moment more than the result would have needed, so that nobody can say it was only slow.
            if time.monotonic() - lost_since > 1 + _SILENT_SECONDS * (crossing.trouble == "unknown_outcome"):
                crossing.asked_by_hand = self._ask_now(path)

    def _ask_now(self, path: str) -> bool:
        try:
            self.api.post(f"{path}/retry", {"note": "demo: ask M-Pesa now"})
        except Failure as refusal:
            if refusal.code == "wrong_stage":
                return False  # it is not waiting yet
            raise
        self.narrator.aside("M-Pesa's books show the payout, but the saga was told nothing. It would ask by itself")
        self.narrator.aside("after two minutes; the demo, as an operator, says “ask now” (kivuko retry).")
        return True

    def _collect(self, crossing: Crossing, phone: str) -> None:
        row = self.api.get(f"/disbursements/{crossing.disbursement_id}")
        crossing.stage, crossing.receipts = row["stage"], list(row["receipts"])
        crossing.workflow_id = row["workflow_id"]
        crossing.wallet_after = self._wallet()
        entries = self.api.get(f"/partners/{self.partner_id}/wallet/entries", limit=100)["items"]
        crossing.charges = [
            {"charge": entry["reason"], "amount": entry["change"], "balance_after": entry["balance_after"]}
            for entry in reversed(entries)
            if entry["workflow_id"] == crossing.workflow_id and entry["kind"] == "capture"
        ]
        crossing.payouts = self.world.payouts(phone)
        crossing.loan = self.world.loan(crossing.loan_id)
        for _ in poll(_MESSAGES_WITHIN) if crossing.receipts else ():
            crossing.messages = self.world.messages(crossing.receipts[0])
            if len(crossing.messages) >= 2:
                break

    def _wallet(self) -> dict[str, Any]:
        return dict(self.api.get(f"/partners/{self.partner_id}/wallet"))


def judge(crossing: Crossing, amount: Decimal, sagas: list[dict[str, Any]]) -> list[Promise]:
    """Every promise against what the books of all sides say; `sagas` are the loan's disbursements."""
    booked = [t for t in crossing.loan["transactions"] if t["type"] == "disbursement" and not t["reversed"]]
    paid = sum((Decimal(row["amount"]) for row in crossing.payouts), Decimal(0))
    charged = -sum((Decimal(line["amount"]["amount"]) for line in crossing.charges), Decimal(0))
    before, after = (Decimal(w["balance"]["amount"]) for w in (crossing.wallet_before, crossing.wallet_after))
    receipts = sorted(row["receipt"] for row in crossing.payouts)
    return [
        Promise("the saga completed", crossing.stage == "completed", crossing.stage),
        Promise("hook and poll together started one saga", len(sagas) == 1, f"{len(sagas)}"),
        Promise("M-Pesa's books hold the amount once", paid == amount, f"KES {paid:,.2f} in {len(receipts)} payout(s)"),
        Promise("its receipt is ours", bool(receipts) and receipts == sorted(crossing.receipts), ", ".join(receipts)),
        Promise(
            "the loan is active in Fineract, booked once under that receipt",
            crossing.loan["status"] == "active"
            and len(booked) == 1
            and all(receipt in str(booked[0]["receiptNumber"]) for receipt in receipts[:1]),
            f"{crossing.loan['status']}, {len(booked)} disbursement(s)",
        ),
        Promise(
            "the wallet fell by the charges alone", charged > 0 and before - after == charged, f"KES {charged:,.2f}"
        ),
        Promise(
            "nothing stays held for it",
            crossing.wallet_after["held"] == crossing.wallet_before["held"],
            crossing.wallet_after["held"]["amount"],
        ),
        Promise("client and lender got their SMS", len(crossing.messages) == 2, f"{len(crossing.messages)} SMS"),
    ]
