"""`kivuko demo collect`: a borrower pays, prompted on the phone and by paybill; Fineract books each payment once."""

import time
from dataclasses import asdict
from decimal import Decimal
from typing import Annotated, Any, Final

import typer

from cli.demo.guide import Guide
from cli.demo.lender import CURRENCY
from cli.demo.playing import SHILLINGS, check_amount, play
from cli.demo.promises import Scene, kes, masked
from cli.demo.verdicts import PaymentsSeen, judge_payments
from cli.errors import Failure
from cli.output import AsJson

TITLES: Final = {
    "paid": "A borrower is prompted and pays, then pays by paybill as well",
    "lost_callback": "The same, and M-Pesa's answer to the prompt is lost",
    "doubled_and_shuffled": "Two paybill payments: one is announced late, the other three times",
    "lost_confirmation": "A paybill payment of which M-Pesa tells nobody",
    "unknown_account": "A paybill payment for an account that nobody has",
}
_OWED: Final = "20000"
# M-Pesa's list is asked for up to a whole second, so that it lacks what has come within this one.
_LISTED_AFTER_SECONDS: Final = 1.1
_WRONG_ACCOUNT: Final = "LOAN OF MAMA NJERI"


def add_to(parent: typer.Typer) -> None:
    parent.command("collect")(collect)


def collect(
    ctx: typer.Context,
    faults: Annotated[
        bool, typer.Option("--faults", help="Announcements lost, doubled and shuffled; an account that nobody has.")
    ] = False,
    amount: Annotated[str, typer.Option(help="What the borrower pays, in whole KES.")] = "1000",
    as_json: AsJson = False,
) -> None:
    """A borrower pays a loan back, prompted on the phone and by paybill; Fineract books each payment once, live.

    Exit code 1 if anything is not as promised.
    """
    check_amount(amount, SHILLINGS, "1000")
    lost = ["lost_callback", "doubled_and_shuffled", "lost_confirmation", "unknown_account"]
    names = lost if faults else ["paid"]
    play(ctx, CollectDemo, names, TITLES, amount, as_json=as_json)


class CollectDemo:
    """One borrower with one loan for all scenes."""

    def __init__(self, guide: Guide) -> None:
        self.guide, self.world = guide, guide.world
        client = self.world.make_client()
        self.phone = str(client["phone"])
        self.loan = self.world.active_loan(client["id"], _OWED)
        self.account = str(self.loan["accountNo"])
        self.guide.aside(
            f"{client['displayName']} ({masked(self.phone)}) owes {kes(Decimal(_OWED))} on loan {self.account}."
        )

    def play(self, name: str, amount: str) -> Scene:
        with self.guide.scene(name) as scene:
            earlier = {payment["receipt"] for payment in self.world.collections(self.phone)}
            owed_before = self._owed()
            {
                "paid": self._paid,
                "lost_callback": self._lost_callback,
                "doubled_and_shuffled": self._shuffled,
                "lost_confirmation": self._lost_confirmation,
                "unknown_account": self._unknown_account,
            }[name](scene, amount)
            self._judge(scene, earlier, owed_before)
        return scene

    # --------------------------------------------------------------------------------------------------- what is done

    def _paid(self, scene: Scene, amount: str) -> None:
        self._ask(scene, amount)
        receipt = self._pay(_half(amount), self.account)
        self.guide.aside(f"Now {kes(Decimal(_half(amount)))} by paybill, to account {self.account}: {receipt}.")
        self._booked(scene, receipt)

    def _lost_callback(self, scene: Scene, amount: str) -> None:
        self.guide.trouble(scene, "daraja.stk.callback", "lose", {"msisdn": self.phone})
        row = self._ask(scene, amount)
        channels = (row.get("payment") or {}).get("announced") or []
        what = "the confirmation alone told of the payment"
        scene.promise(what, channels == ["confirmation"], ", ".join(channels) or "none")

    def _shuffled(self, scene: Scene, amount: str) -> None:
        second = _half(amount)
        self._script_confirmation(scene, "late", amount, seconds=2)
        self._script_confirmation(scene, "duplicate", second, times=3)
        receipts = [self._pay(amount, self.account), self._pay(second, self.account)]
        self.guide.aside(f"{kes(Decimal(amount))} ({receipts[0]}), announced two seconds late, and at once")
        self.guide.aside(f"{kes(Decimal(second))} ({receipts[1]}), announced three times, which overtakes it.")
        for receipt in reversed(receipts):
            self._booked(scene, receipt)

    def _lost_confirmation(self, scene: Scene, amount: str) -> None:
        self._script_confirmation(scene, "lose", amount)
        receipt = self._pay(amount, self.account)
        self.guide.aside(f"{kes(Decimal(amount))} by paybill, {receipt}, and its confirmation is lost.")
        self.guide.aside("The list of payments is pulled every hour; the demo, as an operator, pulls it now.")
        time.sleep(_LISTED_AFTER_SECONDS)
        self.guide.watch_now("daraja")
        row = self._booked(scene, receipt)
        channels = (row.get("payment") or {}).get("announced") or []
        scene.promise("the pull alone found it", channels == ["pull"], ", ".join(channels) or "none")

    def _unknown_account(self, scene: Scene, amount: str) -> None:
        refused = self.world.pay_by_paybill(self.phone, amount, _WRONG_ACCOUNT)
        self.guide.aside(f"{kes(Decimal(amount))} is to be paid to “{_WRONG_ACCOUNT}”. M-Pesa asks, and we say no.")
        scene.promise(
            "M-Pesa was told that nobody has it, and took no money",
            (refused["accepted"], refused["decided_by"]) == (False, "validation"),
            f"{'paid' if refused['accepted'] else 'refused'} by {refused['decided_by']}",
        )
        self.guide.trouble(scene, "daraja.c2b.validation", "skip", {"msisdn": self.phone})
        receipt = self._pay(amount, _WRONG_ACCOUNT)
        self.guide.aside(f"Then M-Pesa does not ask, and takes it: {receipt}. A machine must not guess whose it is.")
        row = self._collection_of(receipt)
        row = self.guide.follow(scene, row["id"], lambda row: row["stage"] == "waiting_account", seconds=20)
        kinds = ", ".join(case["kind"] for case in self.guide.cases(row["workflow_id"]))
        scene.promise("a person's case was opened", kinds == "payment_unplaced", kinds or "none")
        self.guide.aside(f"The demo, as an operator, called the customer, and allocates it to {self.account}.")
        part = {"kind": "loan", "account": self.account, "amount": _money(amount)}
        evidence = "Demo: the customer was called and named the loan."
        resolution = {"decision": "allocate", "evidence": evidence, "allocations": [part]}
        self.guide.api.post(f"/collections/{row['id']}/resolve", resolution)
        self._booked(scene, receipt)
        closed = self.guide.eventually(lambda: self.guide.cases(row["workflow_id"], "closed"), bool, 5)
        scene.promise("the case is closed", len(closed) == 1, f"{len(closed)} closed")

    # ------------------------------------------------------------------------------------------------------ small steps

    def _ask(self, scene: Scene, amount: str) -> dict[str, Any]:
        """A prompt, which the borrower answers with a PIN."""
        row = self.guide.ask("/collections", amount=_money(amount), phone=f"+{self.phone}", account=self.account)
        self.guide.aside(f"The borrower's phone asks: pay {kes(Decimal(amount))} under {row['payer_reference']}?")
        row = self.guide.follow(scene, row["id"])
        scene.add(row)
        return row

    def _pay(self, amount: str, account: str) -> str:
        paid = self.world.pay_by_paybill(self.phone, amount, account)
        if not paid["accepted"]:
            raise Failure(f"M-Pesa did not take the payment: {paid['decided_by']}, {paid['code']}.", code="not_paid")
        return str(paid["receipt"])

    def _script_confirmation(self, scene: Scene, action: str, amount: str, **options: Any) -> None:
        facts = {"msisdn": self.phone, "amount": amount, "channel": "paybill"}
        self.guide.trouble(scene, "daraja.c2b.confirmation", action, facts, **options)

    def _collection_of(self, receipt: str) -> dict[str, Any]:
        found = self.guide.newest("/collections", lambda row: self._has(row, receipt))
        if found is None:
            raise Failure(f"Nobody noticed M-Pesa's payment {receipt}.", code="not_detected")
        return found

    def _has(self, row: dict[str, Any], receipt: str) -> bool:
        """A saga that has just begun has no receipt in its row, but knows its payment."""
        if row["receipt"] is not None:
            return bool(row["receipt"] == receipt)
        payment = self.guide.api.get(f"/collections/{row['id']}").get("payment") or {}
        return payment.get("external_id") == receipt

    def _booked(self, scene: Scene, receipt: str) -> dict[str, Any]:
        row = self.guide.follow(scene, self._collection_of(receipt)["id"])
        scene.add(row)
        return row

    # ------------------------------------------------------------------------------------------------- what came of it

    def _repayments(self) -> list[dict[str, Any]]:
        loan = self.world.loan(self.loan["id"])
        return [t for t in loan["transactions"] if t["type"] == "repayment" and not t["reversed"]]

    def _owed(self) -> Decimal:
        return Decimal(_OWED) - sum((Decimal(t["amount"]) for t in self._repayments()), Decimal(0))

    def _judge(self, scene: Scene, earlier: set[str], owed_before: Decimal) -> None:
        paid = [payment for payment in self.world.collections(self.phone) if payment["receipt"] not in earlier]
        to_customer, to_lender = self._messages([payment["receipt"] for payment in paid])
        seen = PaymentsSeen(
            scene.stages, paid,
            repayments=[t for t in self._repayments() if t["receiptNumber"] not in earlier],
            owed_before=owed_before,
            owed=self._owed(),
            told_customer=[len(texts) for texts in to_customer],
            told_lender=[len(texts) for texts in to_lender],
            lender_phones=self.guide.contacts()["sms"],
        )  # fmt: skip
        scene.seen |= {**asdict(seen), "messages": [*to_customer, *to_lender]}
        scene.promises += judge_payments(seen)
        texts = [text for texts in to_customer for text in texts]
        scene.facts = {
            "M-Pesa's books": [
                f"{kes(Decimal(p['amount']))} from {masked(self.phone)} to {p['shortcode']} ({p['channel']}), {p['receipt']}"
                for p in paid
            ],
            "Loan in Fineract": f"{self.account}: {kes(owed_before)} owed before, {kes(seen.owed)} now",
            **{f"SMS {number}": text for number, text in enumerate(texts, 1)},
        }

    def _messages(self, receipts: list[str]) -> tuple[list[list[str]], list[list[str]]]:
        """What the customer and the lender were told of each receipt. Fineract's own hook tells us of each booking as well,
        so that there might be too many; that a payment could not be placed is another message."""
        wanted = 1 + self.guide.contacts()["sms"]

        def look() -> list[list[dict[str, Any]]]:
            return [[m for m in self.world.messages(receipt) if "received" in m["text"]] for receipt in receipts]

        seen = self.guide.eventually(look, lambda seen: all(len(messages) >= wanted for messages in seen))

        def told(customer: bool) -> list[list[str]]:
            return [
                [m["text"] for m in messages if (str(m["to"]).removeprefix("+") == self.phone) is customer]
                for messages in seen
            ]

        return told(True), told(False)


def _money(amount: str) -> dict[str, str]:
    return {"amount": f"{Decimal(amount):.2f}", "currency": CURRENCY}


def _half(amount: str) -> str:
    return str(max(int(amount) // 2, 1))
