"""`kivuko collections`: customers' payments to a lender."""

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
from cli.output import AsJson
from models import kinds

KIND: Final = kinds.named("customer-collection")
# What of one is for people's eyes.
SHOWN: Final = (
    "partner_id", "channel", "amount", "account", "phone", "payer_reference", "receipt", "paid_at", "allocations",
)  # fmt: skip

app = typer.Typer(no_args_is_help=True, help="Customers' payments: ask for one, list, show.")


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="collections", rich_help_panel="Payments")


@app.command()
def ask(
    ctx: typer.Context,
    amount: Annotated[str, typer.Argument(help="Whole shillings, such as 500.")],
    phone: Annotated[str, typer.Argument(help="Whom to prompt, +2547….")],
    account: Annotated[str, typer.Argument(help="The loan's or savings account's number.")],
    partner: Partner = None,
    currency: Currency = "KES",
    follow_it: FollowIt = False,
    as_json: AsJson = False,
) -> None:
    """Prompts a customer's phone for a payment, which Fineract then books on the account."""
    body = {"amount": plain_money(amount, currency), "phone": phone, "account": account}
    with api(ctx) as client:
        row = client.post("/collections", with_partner(body, partner))
    started(ctx, row, follow_it, as_json)


add_list(
    app,
    KIND,
    {"channel": "channel", "amount": "amount", "account": "account", "receipt": "receipt"},
    "The newest payments, prompted and by paybill; those at `waiting_account` wait for a person (`kivuko cases list`).",
)


@app.command()
def show(
    ctx: typer.Context,
    collection_id: Annotated[str, typer.Argument(help="Such as col_01ktv…")],
    as_json: AsJson = False,
) -> None:
    """One payment with its timeline."""
    show_one(ctx, KIND, collection_id, as_json)
