"""`kivuko relays`: money passed on from one person to another."""

from typing import Annotated, Final

import typer

from cli.commands.sagas import (
    Currency,
    FollowIt,
    Partner,
    add_list,
    plain_money,
    show_one,
    started,
    with_partner,
)
from cli.context import api
from cli.output import AsJson, money
from models import kinds

KIND: Final = kinds.named("relay")
# What of one is for people's eyes.
SHOWN: Final = (
    "partner_id", "method", "amount", "code", "payer", "recipient", "receipt", "paid_receipt", "returned_receipt",
)  # fmt: skip

app = typer.Typer(no_args_is_help=True, help="Money from one person to another: start, list, show.")


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="relays", rich_help_panel="Payments")


@app.command()
def start(
    ctx: typer.Context,
    amount: Annotated[str, typer.Argument(help="Such as 500 or 500.00.")],
    recipient: Annotated[str, typer.Argument(help="Whose purse it goes to, +2547…")],
    payer: Annotated[str | None, typer.Option(help="Prompt this phone; without it: paid under a code.")] = None,
    partner: Partner = None,
    currency: Currency = "KES",
    follow_it: FollowIt = False,
    as_json: AsJson = False,
) -> None:
    """Passes money on: prompts a phone for it, or says where to pay it and under which code."""
    body = {"amount": plain_money(amount, currency), "recipient": recipient, **({"payer": payer} if payer else {})}
    with api(ctx) as client:
        row = client.post(KIND.path, with_partner(body, partner))
    pay_to = row.get("pay_to")
    hints = [f"pay {money(row['amount'])} to {pay_to['account']} and write {row['code']}"] if pay_to else []
    started(ctx, row, follow_it, as_json, *hints)


add_list(
    app,
    KIND,
    {"method": "method", "amount": "amount", "code": "code", "in": "receipt", "out": "paid_receipt",
     "back": "returned_receipt"},
    "The newest relays.",
)  # fmt: skip


@app.command()
def show(
    ctx: typer.Context, relay_id: Annotated[str, typer.Argument(help="Such as rly_01ktv…")], as_json: AsJson = False
) -> None:
    """One relay with its timeline."""
    show_one(ctx, KIND, relay_id, as_json)
