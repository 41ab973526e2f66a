"""`kivuko tariffs`: what charges cost."""

from typing import Annotated

import typer

from cli import files
from cli.context import api
from cli.output import AsJson, console, print_json, table

app = typer.Typer(no_args_is_help=True, help="Tariffs: list bands, import dated sets of them.")


@app.command("list")
def list_tariffs(
    ctx: typer.Context,
    charge: Annotated[str | None, typer.Option(help="Of this charge only, such as bank_transfer.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 100,
    as_json: AsJson = False,
) -> None:
    """The newest bands. A set is valid from its date until a later one of the same charge takes over."""
    with api(ctx) as client:
        rows = client.get("/tariffs", charge=charge, limit=limit)["items"]
    if as_json:
        print_json(rows)
    elif not rows:
        console().print("No bands yet.")
    else:
        columns = ("charge", "from_amount", "to_amount", "fee", "valid_from")
        listed = [[*(row[name] for name in columns), row["partner_id"] or "everyone"] for row in rows]
        console().print(table(None, ["charge", "from", "to", "fee", "valid from", "for"], listed))


@app.command("import")
def import_tariffs(
    ctx: typer.Context,
    csv: Annotated[
        str, typer.Option(help="Columns charge,currency,from,to,fee,valid_from and, if wanted, partner_id.")
    ],
    as_json: AsJson = False,
) -> None:
    """Adds whole sets of bands from a file: all of it or nothing. The same file again changes nothing."""
    text = files.read_text(csv)
    with api(ctx) as client:
        added = client.post_csv("/tariffs/import", text)
    if as_json:
        print_json(added)
    elif added["bands"]:
        console().print(f"[green]✓[/] {added['bands']} bands added")
    else:
        console().print("[green]✓[/] they are there already; nothing was changed")
