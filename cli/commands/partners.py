"""`kivuko partner`: partners and their connections."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cli.context import api
from cli.errors import Failure
from cli.http import ApiClient
from cli.output import AsJson, console, pairs, plain, print_json, table
from models.providers import PROVIDERS

_PROVIDERS: Final = tuple(provider.name for provider in PROVIDERS)

app = typer.Typer(no_args_is_help=True, help="Lenders: list, show, create, give new credentials, check.")

PartnerId = Annotated[str, typer.Argument(help="Such as prt_01ktv…")]
JsonFile = Annotated[
    str, typer.Argument(help="A JSON file, or - for standard input, so that no secret is on the command line.")
]


def check_connection(api: ApiClient, partner_id: str, provider: str) -> dict[str, Any]:
    """Has the API try a partner's stored credentials now."""
    return dict(api.post(f"/partners/{partner_id}/connections/{provider}/check"))


@app.command("list")
def list_partners(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Every lender."""
    with api(ctx) as client:
        rows = list(client.pages("/partners"))
    if as_json:
        print_json(rows)
    else:
        columns = ("id", "name", "currency", "country", "status")
        console().print(table(None, columns, [[row[name] for name in columns] for row in rows]))


@app.command()
def show(ctx: typer.Context, partner_id: PartnerId, as_json: AsJson = False) -> None:
    """One lender: connections (never their secrets), contacts, products, wallet."""
    with api(ctx) as client:
        partner = client.get(f"/partners/{partner_id}")
        products = client.get(f"/partners/{partner_id}/loan-products")["items"]
        wallet = client.get(f"/partners/{partner_id}/wallet")
    if as_json:
        print_json({**partner, "loan_products": products, "wallet": wallet})
        return
    out = console()
    connections, contacts = partner.pop("connections"), partner.pop("contacts")
    out.print(pairs(partner["name"], partner))
    out.print(pairs("\nWallet", {name: wallet[name] for name in ("balance", "held", "available")}))
    out.print(
        table(
            "\nConnections",
            ["provider", "status", "address", "checked", "said"],
            [
                (c["provider"], c["status"], c["settings"].get("base_url"), c["checked_at"], c["check_detail"])
                for c in connections
            ],
        )
    )
    out.print(
        table(
            "\nLoan products",
            ["id", "name", "enabled", "minimum", "maximum", "daily limit", "above", "early"],
            [
                (p["product_id"], p["name"], p["enabled"], p["minimum"], p["maximum"], p["daily_limit"],
                 p["above_maximum"], p["may_go_early"])
                for p in products
            ],
        )
    )  # fmt: skip
    out.print(
        table(
            "\nContacts",
            ["name", "phone", "email", "role"],
            [(c["name"], c["phone"], c["email"], c["role"]) for c in contacts],
        )
    )


@app.command()
def create(ctx: typer.Context, file: JsonFile, as_json: AsJson = False) -> None:
    """Creates a lender from JSON, as `POST /api/v1/partners` takes it; its connections are tried first."""
    with api(ctx) as client:
        made = client.post("/partners", _read(file))
    if as_json:
        print_json(made)
    else:
        console().print(f"[green]✓[/] {plain(made['name'])} is {plain(made['id'])}")


@app.command()
def rotate(
    ctx: typer.Context,
    partner_id: PartnerId,
    provider: Annotated[str, typer.Argument(help=f"One of {', '.join(_PROVIDERS)}.")],
    file: JsonFile,
    as_json: AsJson = False,
) -> None:
    """Gives a connection new settings and credentials; they are tried first, and a blocked one goes on."""
    if provider not in _PROVIDERS:
        raise Failure(f"The provider is {' or '.join(_PROVIDERS)}.", code="usage")
    with api(ctx) as client:
        connection = client.put(f"/partners/{partner_id}/connections/{provider}", _read(file))
    if as_json:
        print_json(connection)
    else:
        console().print(f"[green]✓[/] {provider} works with the new credentials")


@app.command()
def check(ctx: typer.Context, partner_id: PartnerId, as_json: AsJson = False) -> None:
    """Tries every stored connection now; exit code 1 if one does not work."""
    with api(ctx) as client:
        providers = [c["provider"] for c in client.get(f"/partners/{partner_id}")["connections"]]
        checked = [check_connection(client, partner_id, provider) for provider in providers]
    if as_json:
        print_json(checked)
    else:
        for one in checked:
            good = one["status"] == "ok"
            console().print(
                f"{'[green]✓[/]' if good else '[red]✗[/]'} {plain(one['provider'])}: "
                f"{plain(one['check_detail'] or 'works')}"
            )
    if any(one["status"] != "ok" for one in checked):
        raise typer.Exit(1)


def _read(file: str) -> Any:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.", code="usage") from None
    except ValueError as error:
        raise Failure(f"{file} is not JSON: {error}.", code="usage") from None
