"""`kivuko demo topup`: a lender announces money, somebody pays it in at the bank, the wallet grows by it once."""

import json
import time
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Annotated, Any, Final

import httpx
import typer

from cli.demo.guide import Guide
from cli.demo.lender import CURRENCY, PUSH_SECRET, WALLET_ACCOUNT
from cli.demo.playing import MONEY, check_amount, play
from cli.demo.promises import Scene, kes
from cli.demo.verdicts import CreditSeen, judge_credit, judge_uncredited
from cli.errors import Failure
from cli.output import AsJson, money
from core.clock import utc_now

TITLES: Final = {
    "announced": "A lender tops its wallet up by bank transfer",
    "told_twice": "The same, and the bank tells of the money three times",
    "late_and_forged": "The same, and a forged push comes before the true one, which is late",
    "no_code": "Money comes in and names no top-up",
}
_PUSHED: Final = {"account": WALLET_ACCOUNT, "dialect": "reference", "type": "account.credited"}
_LATE_SECONDS: Final = 2


def add_to(parent: typer.Typer) -> None:
    parent.command("topup")(topup)


def topup(
    ctx: typer.Context,
    faults: Annotated[
        bool, typer.Option("--faults", help="Told three times; late, after a forgery; without a code.")
    ] = False,
    amount: Annotated[str, typer.Option(help="What is paid in, in KES.")] = "2500",
    as_json: AsJson = False,
) -> None:
    """A lender announces money, somebody pays it in at the bank under its code, the wallet grows by it once, live.

    Exit code 1 if anything is not as promised.
    """
    check_amount(amount, MONEY, "2500 or 2500.00")
    names = ["told_twice", "late_and_forged", "no_code"] if faults else ["announced"]
    play(ctx, TopUpDemo, names, TITLES, amount, as_json=as_json)


@dataclass
class Banker:
    """Pushes as the bank makes them, or as somebody who knows our address and not the secret would."""

    url: str

    def push(self, transaction_id: str, amount: str, narration: str, secret: str) -> int:
        """The HTTP status that we answer with."""
        from providers.reference_bank.wire import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

        data = {
            "bank_transaction_id": transaction_id, "account": WALLET_ACCOUNT, "amount": amount, "currency": CURRENCY,
            "reference": narration, "payer_name": "DEMO SACCO", "payer_phone": None,
        }  # fmt: skip
        event = {
            "event_id": f"evt_demo_{time.time_ns()}", "type": "account.credited", "occurred_at": utc_now().isoformat(),
            "data": data,
        }  # fmt: skip
        body, at = json.dumps(event).encode(), str(int(utc_now().timestamp()))
        headers = {TIMESTAMP_HEADER: at, SIGNATURE_HEADER: sign(secret, at, body), "content-type": "application/json"}
        return httpx.post(self.url, content=body, headers=headers, timeout=20).status_code


class TopUpDemo:
    def __init__(self, guide: Guide) -> None:
        self.guide, self.world = guide, guide.world

    def play(self, name: str, amount: str) -> Scene:
        with self.guide.scene(name) as scene:
            before = self.guide.wallet()
            if name == "no_code":
                self._without_code(scene, amount, before)
            else:
                self._announced(scene, amount, before)
            self.guide.promise_books(scene)
        return scene

    # ------------------------------------------------------------------------------------------------- with its code

    def _announced(self, scene: Scene, amount: str, before: dict[str, Any]) -> None:
        row = announce(self.guide, amount)
        code = row["reference"]
        pay_to = f"{row['pay_to']['account']} ({row['pay_to']['name']})"
        self.guide.aside(f"{kes(Decimal(amount))} is announced, to be paid to {pay_to} under {code}.")
        self.guide.follow(scene, row["id"], lambda row: row["stage"] == "waiting_money")
        if scene.name == "late_and_forged":
            self._forge(scene, row, amount)
            self.guide.trouble(scene, "bank.push", "late", _PUSHED, seconds=_LATE_SECONDS)
        if scene.name == "told_twice":
            self.guide.trouble(scene, "bank.push", "double", _PUSHED)
        transaction_id = self.world.pay_in(row["pay_to"]["account"], amount, f"{code} top-up")
        self.guide.aside(f"Somebody pays at the bank and names the code: transaction {transaction_id}.")
        if scene.name == "late_and_forged":
            self.guide.aside(f"The bank's push comes {_LATE_SECONDS} s late.")
        row = self.guide.follow(scene, row["id"])
        if scene.name == "told_twice":
            self._tell_again(scene, transaction_id, amount, code)
        scene.add(row)
        self._judge(scene, row, transaction_id, Decimal(amount), before)

    def _forge(self, scene: Scene, row: dict[str, Any], amount: str) -> None:
        self.guide.aside("Somebody who knows our address, not the secret, announces the money: a forgery.")
        answer = self._banker().push("FTFORGED0001", amount, row["reference"], PUSH_SECRET[::-1])
        # Time enough for a saga to have believed it.
        time.sleep(0.5)
        stage = self.guide.api.get(f"/top-ups/{row['id']}")["stage"]
        scene.promise("the forged push was refused", answer == httpx.codes.FORBIDDEN, f"answered {answer}")
        scene.promise("and the top-up went on waiting", stage == "waiting_money", stage)

    def _tell_again(self, scene: Scene, transaction_id: str, amount: str, code: str) -> None:
        """The double push carried one event; this is another event about the same money."""
        answer = self._banker().push(transaction_id, amount, f"{code} top-up", PUSH_SECRET)
        self.guide.aside("The bank has pushed it twice, and now tells of it once more, as another event.")
        time.sleep(0.5)
        pushed = max((push["attempts"] for push in self.world.bank_pushes() if push["action"] == "double"), default=0)
        scene.promise("the bank told of it three times", (pushed, answer) == (2, 200), f"{pushed} + 1 pushes")

    def _banker(self) -> Banker:
        path = f"/partners/{self.guide.partner_id}/connections/bank/address"
        return Banker(self.guide.api.get(path)["items"][0]["url"])

    def _judge(
        self, scene: Scene, row: dict[str, Any], transaction_id: str, amount: Decimal, before: dict[str, Any]
    ) -> None:
        seen = CreditSeen(
            row, transaction_id, amount, before, self.guide.wallet(),
            lines=self.guide.lines(lambda line: transaction_id in line["note"]),
            entries=[e for e in self.world.bank_entries(WALLET_ACCOUNT) if e["bank_transaction_id"] == transaction_id],
        )  # fmt: skip
        scene.seen |= asdict(seen)
        scene.promises += judge_credit(seen)
        texts = self.guide.promise_messages(scene, transaction_id)
        scene.facts = {
            "Top-up": f"{row['id']}, code {row['reference']}",
            "At the bank": [f"{kes(Decimal(e['amount']))} on {e['account']}, “{e['narration']}”" for e in seen.entries],
            "Wallet before": money(before["balance"]),
            "  top-up": [money(line["change"]) for line in seen.lines],
            "Wallet after": money(seen.after["balance"]),
            "SMS": texts[:1],
        }

    # ----------------------------------------------------------------------------------------------------- without one

    def _without_code(self, scene: Scene, amount: str, before: dict[str, Any]) -> None:
        transaction_id = self.world.pay_in(WALLET_ACCOUNT, amount, "SCHOOL FEES TERM 3")
        self.guide.aside(f"A transfer says “SCHOOL FEES TERM 3”, and no code: transaction {transaction_id}.")
        row = self._found(transaction_id)
        row = self.guide.follow(scene, row["id"], lambda row: row["stage"] == "unallocated", seconds=20)
        scene.add(row)
        after = self.guide.wallet()
        cases = self.guide.eventually(lambda: self.guide.cases(row["workflow_id"]), bool, 5)
        scene.seen |= {"wallet_before": before, "wallet_after": after, "cases": cases}
        scene.promises += judge_uncredited(row, cases, before, after)
        scene.facts = {
            "At the bank": f"{kes(Decimal(amount))}, transaction {transaction_id}",
            "Case": [f"{case['id']}: {case['summary']}" for case in cases],
            "Wallet": money(after["balance"]),
            "Who decides": "one person says whose it is, another agrees; try `kivuko cases list`",
        }

    def _found(self, transaction_id: str) -> dict[str, Any]:
        found = self.guide.newest("/top-ups", lambda row: row["bank_reference"] == transaction_id)
        if found is None:
            raise Failure(f"Nobody noticed the bank's transaction {transaction_id}.", code="not_detected")
        return found


def announce(guide: Guide, amount: str) -> dict[str, Any]:
    """A top-up by bank transfer, with the code and the account that the payer needs."""
    return guide.ask("/top-ups", amount={"amount": f"{Decimal(amount):.2f}", "currency": CURRENCY})
