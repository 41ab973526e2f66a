"""`kivuko demo relay`: one person pays another through the tin, prompted for it; the tin's book is the judge."""

import random
from decimal import Decimal
from typing import Annotated, Any, Final

import httpx
import typer

from cli.demo.guide import Guide
from cli.demo.lender import CURRENCY
from cli.demo.playing import MONEY, check_amount, play
from cli.demo.promises import Scene
from cli.output import AsJson

TITLES: Final = {
    "paid": "One person pays another through the tin",
    "returned": "The same, and the recipient's purse refuses the money",
}
_ACCOUNT: Final = {"number": "TIN-DEMO", "token": "tin-demo-token"}


def add_to(parent: typer.Typer) -> None:
    parent.command("relay")(relay)


def relay(
    ctx: typer.Context,
    faults: Annotated[bool, typer.Option("--faults", help="The recipient's purse refuses the money.")] = False,
    amount: Annotated[str, typer.Option(help="What is passed on, in KES.")] = "500.00",
    as_json: AsJson = False,
) -> None:
    """One person pays another, prompted for it; what cannot be passed on goes back, live.

    Exit code 1 if anything is not as promised.
    """
    check_amount(amount, MONEY, "500 or 500.00")
    play(ctx, RelayDemo, ["returned"] if faults else ["paid"], TITLES, amount, as_json=as_json)


class RelayDemo:
    def __init__(self, guide: Guide) -> None:
        self.guide, self.url = guide, f"{guide.world.url}/tin"

    def play(self, name: str, amount: str) -> Scene:
        payer, recipient = (f"2547{start}{random.randrange(10**6):06}" for start in (12, 33))
        self._open()
        with self.guide.scene(name) as scene:
            if name == "returned":
                self.guide.trouble(scene, "tin.payout", "fail_later", {"phone": recipient})
            money = {"amount": f"{Decimal(amount):.2f}", "currency": CURRENCY}
            row = self.guide.ask("/relays", amount=money, payer=f"+{payer}", recipient=f"+{recipient}")
            row = self.guide.follow(scene, row["id"])
            scene.add(row)
            self._judge(scene, row, payer, recipient, money["amount"])
        return scene

    def _open(self) -> None:
        """The lender's account at the tin, and the address at which the tin tells of payments to it."""
        here = f"/partners/{self.guide.partner_id}/connections/tin"
        httpx.post(f"{self.url}/simulator/accounts", json=_ACCOUNT).raise_for_status()
        given = {"base_url": self.url, "account": _ACCOUNT["number"], "token": _ACCOUNT["token"]}
        self.guide.api.put(here, given)
        told = self.guide.api.get(f"{here}/address")["items"][0]["url"]
        httpx.post(f"{self.url}/simulator/accounts", json={**_ACCOUNT, "announce_to": told}).raise_for_status()

    def _judge(self, scene: Scene, row: dict[str, Any], payer: str, recipient: str, amount: str) -> None:
        book = httpx.get(f"{self.url}/books").json()["movements"]
        moved = [
            (one["from"], one["to"], one["amount"]) for one in book if {payer, recipient} & {one["from"], one["to"]}
        ]
        last = recipient if scene.name == "paid" else payer
        wanted = [(payer, _ACCOUNT["number"], amount), (_ACCOUNT["number"], last, amount)]
        scene.promise("the money was moved once each way, and is where it belongs", moved == wanted, len(moved))
        ends = "completed" if scene.name == "paid" else "returned"
        scene.promise(f"the relay has ended as {ends}", row["stage"] == ends, row["stage"])
        scene.facts |= {"In": row["receipt"], "Out": row["paid_receipt"], "Back": row["returned_receipt"]}
