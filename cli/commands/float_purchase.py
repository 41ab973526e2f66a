"""`kivuko floats`: mobile money bought from a prepaid wallet, confirmed with a one-time code."""

import sys
from typing import Annotated, Any, Final

import typer

from cli.commands import sagas
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
from cli.errors import STDERR, Failure
from cli.http import ApiClient
from cli.output import AsJson, console, money, pairs, plain, print_json
from models import kinds

KIND: Final = kinds.named("float-purchase")
# What of one is for people's eyes.
SHOWN: Final = (
    "partner_id", "operator", "amount", "total", "held", "transfer_reference", "purchase_reference",
    "returned_reference",
)  # fmt: skip

app = typer.Typer(no_args_is_help=True, help="Float: its price, buy, confirm with the code, cancel, list, show.")

Amount = Annotated[str, typer.Argument(help="The float, such as 50000.")]
PurchaseId = Annotated[str, typer.Argument(help="Such as flt_01ktv…")]
OperatorName = Annotated[str, typer.Option("--operator", help="mpesa, airtel or mtn.")]


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="floats", rich_help_panel="Payments")


@app.command()
def quote(
    ctx: typer.Context,
    amount: Amount,
    operator: OperatorName = "mpesa",
    partner: Partner = None,
    currency: Currency = "KES",
    as_json: AsJson = False,
) -> None:
    """What float costs now, line by line. Nothing is held."""
    with api(ctx) as client:
        price = _quote(client, amount, operator, partner, currency)
    if as_json:
        print_json(price)
    else:
        _show_price(price)


@app.command()
def buy(
    ctx: typer.Context,
    amount: Amount,
    operator: OperatorName = "mpesa",
    partner: Partner = None,
    total: Annotated[str | None, typer.Option(help="The total that you agree to; without it you are asked.")] = None,
    currency: Currency = "KES",
    follow_it: FollowIt = False,
    as_json: AsJson = False,
) -> None:
    """Buys float at the price that is shown; refused if it has changed since. An authorised person gets a code."""
    wanted = {"operator": operator, "amount": plain_money(amount, currency)}
    with api(ctx) as client:
        agreed = plain_money(total, currency) if total else _agree(client, amount, operator, partner, currency, as_json)
        row = client.post("/float-purchases", with_partner({**wanted, "expected_total": agreed}, partner))
    started(ctx, row, follow_it, as_json, f"the code goes to kivuko floats confirm {row['id']}")


@app.command()
def confirm(
    ctx: typer.Context,
    purchase_id: PurchaseId,
    follow_it: FollowIt = False,
    as_json: AsJson = False,
) -> None:
    """Gives the one-time code. It is asked for, or read from standard input: never on the command line."""
    code = typer.prompt("Code", err=True) if sys.stdin.isatty() else sys.stdin.readline()
    with api(ctx) as client:
        taken = client.post(f"{KIND.path}/{purchase_id}/confirm", {"code": code.strip()})
    if follow_it:
        sagas.watch(ctx, purchase_id, as_json=as_json)
    elif as_json:
        print_json(taken)
    else:
        console().print(f"[green]✓[/] the code was right; follow it: kivuko watch {plain(purchase_id)}")


@app.command()
def resend(ctx: typer.Context, purchase_id: PurchaseId, as_json: AsJson = False) -> None:
    """Sends a new code; the one before it is dead."""
    sagas.command(ctx, purchase_id, "resend-code", {}, as_json)


@app.command()
def cancel(
    ctx: typer.Context,
    purchase_id: PurchaseId,
    note: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Gives everything back, as long as no money has moved."""
    sagas.command(ctx, purchase_id, "cancel", {"note": note}, as_json)


add_list(
    app,
    KIND,
    {"operator": "operator", "float": "amount", "total": "total", "receipt": "purchase_reference"},
    "The newest float purchases.",
)


@app.command()
def show(ctx: typer.Context, purchase_id: PurchaseId, as_json: AsJson = False) -> None:
    """One purchase with its timeline."""
    show_one(ctx, KIND, purchase_id, as_json)


def _quote(client: ApiClient, amount: str, operator: str, partner: str | None, currency: str) -> dict[str, Any]:
    wanted = {"operator": operator, "amount": plain_money(amount, currency)}
    return dict(client.post(f"{KIND.path}/quotes", with_partner(wanted, partner)))


def _show_price(price: dict[str, Any]) -> None:
    lines = {line["item"].replace("_", " "): money(line["amount"]) for line in price["lines"]}
    enough = "" if price["enough"] else " (not enough: top the wallet up first)"
    available = money(price["available"]) + enough
    console().print(pairs(None, {**lines, "total": money(price["total"]), "available": available}))


def _agree(
    client: ApiClient, amount: str, operator: str, partner: str | None, currency: str, as_json: bool
) -> dict[str, str]:
    """The total that somebody at a terminal agreed to. Raises Failure where nobody can be asked."""
    if as_json or not sys.stdin.isatty():
        raise Failure("Say which price you agree to: --total, as `kivuko floats quote` shows it.", code="usage")
    price = _quote(client, amount, operator, partner, currency)
    _show_price(price)
    if not typer.confirm("Buy at this price?", err=True):
        STDERR.print("Nothing was bought.")
        raise typer.Exit(1)
    return dict(price["total"])
