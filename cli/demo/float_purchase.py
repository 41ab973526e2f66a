"""`kivuko demo float`: a lender buys M-Pesa float from its wallet, and one of its people confirms it with a code."""

import re
from dataclasses import asdict
from decimal import Decimal
from typing import Annotated, Any, Final

import typer

from cli.demo.guide import Guide
from cli.demo.lender import AUTHORISED_PHONE, B2C_ACCOUNT, CURRENCY, SHORTCODE, WALLET_ACCOUNT
from cli.demo.playing import MONEY, check_amount, play
from cli.demo.promises import Scene, decimal, kes
from cli.demo.verdicts import FloatSeen, judge_bought, judge_rejected
from cli.demo.wallet_top_up import announce
from cli.errors import Failure
from cli.output import AsJson, money

TITLES: Final = {
    "bought": "A lender buys M-Pesa float",
    "silent_transfer": "The same: a wrong code first, and the bank moves the money without ever answering",
    "rejected": "The bank takes the order for the float, and rejects it later",
    "bought_after_all": "The lender tries again",
}
_FLOAT: Final = f"float:mpesa:{SHORTCODE}"
_CODE_TEXT: Final = "is your Kivuko code"
_SILENT_SECONDS: Final = 1
_REASON: Final = "OPERATOR_UNAVAILABLE"


def add_to(parent: typer.Typer) -> None:
    parent.command("float")(float_)


def float_(
    ctx: typer.Context,
    faults: Annotated[
        bool, typer.Option("--faults", help="A wrong code, a bank that does not answer, a float that is rejected.")
    ] = False,
    amount: Annotated[str, typer.Option(help="The float in KES.")] = "2000",
    as_json: AsJson = False,
) -> None:
    """A lender buys M-Pesa float from its wallet; one of its people confirms it with the code of an SMS, live.

    Exit code 1 if anything is not as promised.
    """
    check_amount(amount, MONEY, "2000 or 2000.00")
    names = ["silent_transfer", "rejected", "bought_after_all"] if faults else ["bought"]
    play(ctx, FloatDemo, names, TITLES, amount, as_json=as_json)


class FloatDemo:
    def __init__(self, guide: Guide) -> None:
        self.guide, self.world = guide, guide.world

    def play(self, name: str, amount: str) -> Scene:
        with self.guide.scene(name) as scene:
            quote = self._quote(scene, amount)
            before, bank_before = self.guide.wallet(), self._bank()
            if name == "silent_transfer":
                silent = {"account": WALLET_ACCOUNT}
                self.guide.trouble(scene, "bank.transfer", "timeout_after_execution", silent, seconds=_SILENT_SECONDS)
            if name == "rejected":
                self.guide.trouble(scene, "bank.float", "reject_later", {"account": B2C_ACCOUNT}, code=_REASON)
            told_before = len(self._returned())
            row = self._buy(scene, quote)
            scene.add(row)
            seen = self._seen(row, quote, before, bank_before)
            scene.seen |= asdict(seen)
            scene.promises += judge_rejected(seen) if name == "rejected" else judge_bought(seen)
            self._promise_code(scene, row)
            if name == "rejected":
                texts = self._promise_returned(scene, told_before)
            else:
                texts = self.guide.promise_messages(scene, str(row["purchase_reference"]))
            scene.facts = self._facts(seen, texts)
            self.guide.promise_books(scene)
        return scene

    # --------------------------------------------------------------------------------------------------- what is done

    def _quote(self, scene: Scene, amount: str) -> dict[str, Any]:
        """The price. If the wallet is too low for it, somebody pays in first."""
        wanted = {"operator": "mpesa", "amount": {"amount": f"{Decimal(amount):.2f}", "currency": CURRENCY}}
        quote = self.guide.ask("/float-purchases/quotes", **wanted)
        if not quote["enough"]:
            missing = decimal(quote["total"]) - decimal(quote["available"])
            self.guide.aside(f"The wallet is {kes(missing)} short: the lender tops it up first.")
            row = announce(self.guide, str(missing))
            self.world.pay_in(row["pay_to"]["account"], f"{missing:.2f}", str(row["reference"]))
            self.guide.follow(scene, row["id"])
            quote = self.guide.ask("/float-purchases/quotes", **wanted)
        price = ", ".join(f"{line['item'].replace('_', ' ')} {money(line['amount'])}" for line in quote["lines"])
        self.guide.aside(f"The price is shown: {price}; {money(quote['total'])} in all.")
        return quote

    def _buy(self, scene: Scene, quote: dict[str, Any]) -> dict[str, Any]:
        codes_before = len(self._code_messages())
        row = self.guide.ask(
            "/float-purchases", operator="mpesa", amount=quote["amount"], expected_total=quote["total"]
        )
        self.guide.follow(scene, row["id"], lambda row: row["stage"] == "awaiting_code")
        code = self._read_code(codes_before)
        if scene.name == "silent_transfer":
            self._give_wrong_code(scene, row["id"], code)
        self.guide.aside("The demo plays the authorised person: it reads the SMS and gives its code back.")
        self.guide.api.post(f"/float-purchases/{row['id']}/confirm", {"code": code})
        return self.guide.follow(scene, row["id"])

    def _give_wrong_code(self, scene: Scene, purchase_id: str, code: str) -> None:
        wrong = f"{(int(code) + 1) % 1_000_000:06d}"
        orders = len(self.world.bank_orders())
        said = "taken"
        try:
            self.guide.api.post(f"/float-purchases/{purchase_id}/confirm", {"code": wrong})
        except Failure as refusal:
            said = refusal.code
        self.guide.aside("Somebody gives a wrong code first.")
        stage = self.guide.api.get(f"/float-purchases/{purchase_id}")["stage"]
        moved = len(self.world.bank_orders()) - orders
        scene.promise(
            "a wrong code is refused and moves nothing",
            (said, stage, moved) == ("wrong_code", "awaiting_code", 0),
            f"{said}, {stage}, {moved} orders",
        )

    def _code_messages(self) -> list[dict[str, Any]]:
        """Those on the phone of the authorised person."""
        digits = AUTHORISED_PHONE.removeprefix("+")
        return [m for m in self.world.messages(_CODE_TEXT) if str(m["to"]).removeprefix("+") == digits]

    def _read_code(self, codes_before: int) -> str:
        found = self.guide.eventually(self._code_messages, lambda seen: len(seen) > codes_before)
        code = re.search(r"\b\d{6}\b", found[-1]["text"]) if len(found) > codes_before else None
        if code is None:
            raise Failure("No SMS with a code came to the authorised person's phone.", code="no_code")
        return code.group()

    # ------------------------------------------------------------------------------------------------- what came of it

    def _bank(self) -> dict[str, Decimal]:
        """What is where at the bank; `float` is what the bank sold for the short code."""
        balances = self.world.bank_balances()
        places = {"wallet": WALLET_ACCOUNT, "b2c": B2C_ACCOUNT, "float": _FLOAT}
        return {place: Decimal(balances.get(number, "0")) for place, number in places.items()}

    def _seen(
        self, row: dict[str, Any], quote: dict[str, Any], before: dict[str, Any], bank: dict[str, Decimal]
    ) -> FloatSeen:
        # What the bank knows this purchase's orders by.
        references = {attempt["reference"] for attempt in row["attempts"]}
        return FloatSeen(
            row, quote, before, self.guide.wallet(),
            lines=self.guide.lines(lambda line: line["workflow_id"] == row["workflow_id"]),
            sold=[entry for entry in self.world.bank_entries(_FLOAT) if entry["reference"] in references],
            b2c=[entry for entry in self.world.bank_entries(B2C_ACCOUNT) if entry["reference"] in references],
            moved={place: now - bank[place] for place, now in self._bank().items()},
        )  # fmt: skip

    def _promise_code(self, scene: Scene, row: dict[str, Any]) -> None:
        """By email the code names its purchase; by SMS it was read from the phone."""
        wanted = self.guide.contacts("authorised")["email"]
        emails = self.guide.eventually(
            lambda: self.world.messages(row["id"], "email"), lambda seen: len(seen) >= wanted
        )
        what = "one code was sent, by SMS and by email"
        scene.promise(what, len(emails) == wanted > 0, f"{len(emails)} email(s) and the SMS")

    def _promise_returned(self, scene: Scene, told_before: int) -> list[str]:
        wanted = self.guide.contacts()["sms"]
        told = self.guide.eventually(self._returned, lambda seen: len(seen) - told_before >= wanted)[told_before:]
        scene.promise("the lender was told that its money is back", len(told) == wanted, f"{len(told)} SMS")
        return [message["text"] for message in told]

    def _returned(self) -> list[dict[str, Any]]:
        return self.world.messages("The money is back in your wallet.")

    def _facts(self, seen: FloatSeen, texts: list[str]) -> dict[str, Any]:
        row = seen.row
        return {
            "Purchase": row["id"],
            **{f"  {line['item'].replace('_', ' ')}": money(line["amount"]) for line in seen.quote["lines"]},
            "Total": money(seen.quote["total"]),
            "At the bank": [f"{one['to']}: {one['state']}, {one['receipt'] or one['code']}" for one in row["attempts"]],
            "Wallet before": money(seen.before["balance"]),
            "Wallet after": money(seen.after["balance"]),
            "Receipt": row["purchase_reference"],
            "Reason": row["reason"],
            "SMS": texts[:1],
        }
