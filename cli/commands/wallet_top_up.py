"""`kivuko topups`: money for a prepaid wallet."""

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

KIND: Final = kinds.named("wallet-top-up")
# What of one is for people's eyes.
SHOWN: Final = (
    "partner_id", "method", "amount", "reference", "pay_to", "phone", "credited", "bank_reference",
)  # fmt: skip

app = typer.Typer(no_args_is_help=True, help="Top-ups of a prepaid wallet: announce, list, show.")


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="topups", rich_help_panel="Payments")


@app.command()
def start(
    ctx: typer.Context,
    amount: Annotated[str, typer.Argument(help="Such as 2500 or 2500.00.")],
    partner: Partner = None,
    phone: Annotated[
        str | None, typer.Option(help="Prompt this phone, +2547…; without it: by bank transfer under a code.")
    ] = None,
    currency: Currency = "KES",
    follow_it: FollowIt = False,
    as_json: AsJson = False,
) -> None:
    """Announces money: says where to pay it and under which code, or prompts a phone for it."""
    body = {"amount": plain_money(amount, currency), **({"phone": phone} if phone else {})}
    with api(ctx) as client:
        row = client.post("/top-ups", with_partner(body, partner))
    pay_to = row.get("pay_to")
    where = f"pay {money(row['amount'])} to {pay_to['account']} ({pay_to['name']})" if pay_to else ""
    hints = [f"{where} and write {row['reference']} on the transfer"] if pay_to else []
    started(ctx, row, follow_it, as_json, *hints)


add_list(
    app,
    KIND,
    {
        "method": "method",
        "amount": "amount",
        "code": "reference",
        "credited": "credited",
        "bank": "bank_reference",
    },
    "The newest top-ups; those at `unallocated` wait for a person (`kivuko cases list`).",
)


@app.command()
def show(
    ctx: typer.Context, top_up_id: Annotated[str, typer.Argument(help="Such as top_01ktv…")], as_json: AsJson = False
) -> None:
    """One top-up with its timeline."""
    show_one(ctx, KIND, top_up_id, as_json)
