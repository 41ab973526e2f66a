"""`kivuko demo loan`: a loan is approved, its disbursement followed, every promise held against the simulators' books."""

import time
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Final

import typer

from cli.demo.guide import Guide
from cli.demo.playing import MONEY, check_amount, play
from cli.demo.promises import Judged, Promise, masked
from cli.errors import Failure
from cli.follow import events
from cli.http import poll
from cli.kinds import ENDED
from cli.output import AsJson, money

TITLES: Final = {
    "none": "A loan is paid out",
    "lost_callback": "The same, and M-Pesa's callback is lost",
    "unknown_outcome": "The same, and M-Pesa pays without ever answering",
}
_DETECTED_WITHIN: Final = 30.0
_ENDED_WITHIN: Final = 120.0
# M-Pesa says nothing for so long before it hangs up, having paid.
_SILENT_SECONDS: Final = 2


def add_to(parent: typer.Typer) -> None:
    parent.command("loan")(loan)


def loan(
    ctx: typer.Context,
    faults: Annotated[
        bool, typer.Option("--faults", help="With a lost callback, then with an unknown outcome.")
    ] = False,
    amount: Annotated[str, typer.Option(help="The principal in KES.")] = "12500",
    product: Annotated[int, typer.Option(help="The loan product's id in Fineract.")] = 1,
    as_json: AsJson = False,
) -> None:
    """An approved loan is paid out by M-Pesa, posted back to Fineract, charged and told, live.

    Exit code 1 if anything is not as promised.
    """
    check_amount(amount, MONEY, "12500 or 12500.00")
    names = ["lost_callback", "unknown_outcome"] if faults else ["none"]
    play(ctx, lambda guide: DisbursementDemo(guide, product), names, TITLES, amount, as_json=as_json, key="runs")


@dataclass
class DemoRun(Judged):
    """What happened to one loan, as `--json` shows it."""

    trouble: str
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

    def workflows(self) -> list[str]:
        return [self.workflow_id]

    def table(self) -> dict[str, Any]:
        return {
            "Receipt": ", ".join(self.receipts),
            "M-Pesa's books": [
                f"KES {row['amount']} to {masked(row['msisdn'])} from {row['shortcode']}, {row['receipt']}"
                for row in self.payouts
            ],
            "Loan in Fineract": f"{self.loan_id}, {self.loan['status']}",
            "Wallet before": money(self.wallet_before["balance"]),
            **{f"  {line['charge']}": money(line["amount"]) for line in self.charges},
            "Wallet after": money(self.wallet_after["balance"]),
            **{f"SMS {n} ({message['gateway']})": message["text"] for n, message in enumerate(self.messages, 1)},
            "Time": f"{self.seconds:.1f} s",
        }


class DisbursementDemo:
    """Pays one loan out in each scene."""

    def __init__(self, guide: Guide, product_id: int) -> None:
        self.guide, self.api, self.world = guide, guide.api, guide.world
        self.product_id = product_id

    def play(self, name: str, amount: str) -> DemoRun:
        """Raises Failure if the loan is not even detected; everything else is a broken promise of the result."""
        before = self.guide.wallet()
        client = self.world.make_client()
        phone = str(client["phone"])
        self._prepare_trouble(name, phone)
        loan_id = self.world.submit_loan(client["id"], amount, self.product_id)
        began = time.monotonic()
        self.world.approve(loan_id)
        self.guide.aside(f"Loan {loan_id} of KES {Decimal(amount):,.2f} is approved in Fineract: its hook fires,")
        self.guide.watch_now("fineract")
        self.guide.aside("and the poll runs at the same moment. Both may see it; one saga pays it.")
        run = DemoRun(name, loan_id, self._detected(loan_id), wallet_before=before)
        self._follow(run, phone)
        run.seconds = round(time.monotonic() - began, 2)
        self._collect(run, phone)
        run.promises = judge(run, Decimal(amount), self._disbursements(loan_id))
        return run

    def _prepare_trouble(self, trouble: str, phone: str) -> None:
        if trouble == "unknown_outcome":
            self.world.script("daraja.b2c.send", "timeout_after_execution", phone, seconds=_SILENT_SECONDS)
        if trouble != "none":
            self.world.script("daraja.b2c.result", "lose", phone)

    def _detected(self, loan_id: int) -> str:
        if rows := self.guide.eventually(lambda: self._disbursements(loan_id), bool, _DETECTED_WITHIN):
            return str(rows[0]["id"])
        raise Failure(
            f"Nobody noticed that loan {loan_id} was approved within {_DETECTED_WITHIN:g} s: neither hook nor poll. "
            "`kivuko doctor` may say why.",
            code="not_detected",
        )

    def _disbursements(self, loan_id: int) -> list[dict[str, Any]]:
        rows = self.api.get("/disbursements", partner_id=self.guide.partner_id, limit=100)["items"]
        return [row for row in rows if row["loan_id"] == loan_id]

    def _follow(self, run: DemoRun, phone: str) -> None:
        """To the end; when the loss can be seen in M-Pesa's books, an operator's `retry` saves the two minutes' wait."""
        path = f"/disbursements/{run.disbursement_id}"
        lost_since: float | None = None
        for _ in poll(_ENDED_WITHIN, every=0.2):
            row = self.api.get(path)
            for event in events(self.api, run.disbursement_id)[len(run.events) :]:
                run.events.append(event)
                self.guide.narrator.tell(event)
            run.stage = row["stage"]
            if row["stage"] in ENDED:
                return
            if run.trouble == "none" or run.asked_by_hand or not self.world.payouts(phone):
                continue
            lost_since = lost_since or time.monotonic()
            # A moment more than the result would have needed, so that nobody can say it was only slow.
            if time.monotonic() - lost_since > 1 + _SILENT_SECONDS * (run.trouble == "unknown_outcome"):
                run.asked_by_hand = self._ask_now(path)

    def _ask_now(self, path: str) -> bool:
        try:
            self.api.post(f"{path}/retry", {"note": "demo: ask M-Pesa now"})
        except Failure as refusal:
            if refusal.code == "wrong_stage":
                return False  # it is not waiting yet
            raise
        self.guide.aside(
            "M-Pesa's books show the payout, but the saga was told nothing. It would ask by itself",
            "after two minutes; the demo, as an operator, says “ask now” (kivuko retry).",
        )
        return True

    def _collect(self, run: DemoRun, phone: str) -> None:
        row = self.api.get(f"/disbursements/{run.disbursement_id}")
        run.stage, run.receipts = row["stage"], list(row["receipts"])
        run.workflow_id = row["workflow_id"]
        run.wallet_after = self.guide.wallet()
        run.charges = [
            {"charge": entry["reason"], "amount": entry["change"], "balance_after": entry["balance_after"]}
            for entry in self.guide.lines(lambda entry: entry["workflow_id"] == run.workflow_id)
            if entry["kind"] == "capture"
        ]
        run.payouts = self.world.payouts(phone)
        run.loan = self.world.loan(run.loan_id)
        if run.receipts:
            told = partial(self.world.messages, run.receipts[0])
            run.messages = self.guide.eventually(told, lambda seen: len(seen) >= 2)


def judge(run: DemoRun, amount: Decimal, sagas: list[dict[str, Any]]) -> list[Promise]:
    """Every promise against what the books of all sides say; `sagas` are the loan's disbursements."""
    booked = [t for t in run.loan["transactions"] if t["type"] == "disbursement" and not t["reversed"]]
    paid = sum((Decimal(row["amount"]) for row in run.payouts), Decimal(0))
    charged = -sum((Decimal(line["amount"]["amount"]) for line in run.charges), Decimal(0))
    before, after = (Decimal(w["balance"]["amount"]) for w in (run.wallet_before, run.wallet_after))
    receipts = sorted(row["receipt"] for row in run.payouts)
    return [
        Promise("the saga completed", run.stage == "completed", run.stage),
        Promise("hook and poll together started one saga", len(sagas) == 1, f"{len(sagas)}"),
        Promise("M-Pesa's books hold the amount once", paid == amount, f"KES {paid:,.2f} in {len(receipts)} payout(s)"),
        Promise("its receipt is ours", bool(receipts) and receipts == sorted(run.receipts), ", ".join(receipts)),
        Promise(
            "the loan is active in Fineract, booked once under that receipt",
            run.loan["status"] == "active"
            and len(booked) == 1
            and all(receipt in str(booked[0]["receiptNumber"]) for receipt in receipts[:1]),
            f"{run.loan['status']}, {len(booked)} disbursement(s)",
        ),
        Promise(
            "the wallet fell by the charges alone", charged > 0 and before - after == charged, f"KES {charged:,.2f}"
        ),
        Promise(
            "nothing stays held for it",
            run.wallet_after["held"] == run.wallet_before["held"],
            run.wallet_after["held"]["amount"],
        ),
        Promise("client and lender got their SMS", len(run.messages) == 2, f"{len(run.messages)} SMS"),
    ]
