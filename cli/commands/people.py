"""`kivuko people`: who has keys, and who signs in to the console."""

from typing import Annotated, Any

import typer

from cli.context import api
from cli.output import AsJson, console, pairs, plain, print_json, table

app = typer.Typer(no_args_is_help=True, help="People: list, add, invite to the console, shut out.")

PersonId = Annotated[str, typer.Argument(help="Such as psn_01ktv…")]
_COLUMNS = ("id", "name", "email", "partner_id", "scopes", "may_sign_in", "disabled_at")


@app.command("list")
def list_people(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Everybody who has keys or may sign in."""
    with api(ctx) as client:
        rows = list(client.pages("/people"))
    if as_json:
        print_json(rows)
        return
    heads = [column.replace("_", " ") for column in _COLUMNS]
    console().print(table(None, heads, [[row.get(column) for column in _COLUMNS] for row in rows]))


@app.command()
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What they are called.")],
    email: Annotated[str | None, typer.Option(help="By which they sign in.")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="What they may do once signed in; may be given again.")
    ] = None,
    partner: Annotated[str | None, typer.Option(help="The lender that they belong to; without one, the house.")] = None,
    language: Annotated[str, typer.Option(help="en or sw.")] = "en",
    as_json: AsJson = False,
) -> None:
    """Adds a person. Invite them afterwards."""
    body = {"name": name, "email": email, "scopes": scope or [], "partner_id": partner, "language": language}
    with api(ctx) as client:
        row = client.post("/people", {field: value for field, value in body.items() if value is not None})
    _show(row, as_json, f"{plain(row['name'])} is {plain(row['id'])}")


@app.command()
def invite(ctx: typer.Context, person_id: PersonId, as_json: AsJson = False) -> None:
    """Makes the link by which they set password and phone codes; it works once, and is shown this once. Whoever makes it by a
    key of their own is never a second person to them: use the installation's first key."""
    with api(ctx) as client:
        made = client.post(f"/people/{person_id}/invite")
    if as_json:
        print_json(made)
    else:
        console().print(pairs(None, {"link": made["link"], "works until": made["expires_at"]}))


@app.command()
def disable(ctx: typer.Context, person_id: PersonId, as_json: AsJson = False) -> None:
    """Shuts them out of the console, at once. Their keys are revoked one by one."""
    _turn(ctx, person_id, "disable", "is shut out", as_json)


@app.command()
def enable(ctx: typer.Context, person_id: PersonId, as_json: AsJson = False) -> None:
    """Lets them in again."""
    _turn(ctx, person_id, "enable", "may come in", as_json)


def _turn(ctx: typer.Context, person_id: str, verb: str, said: str, as_json: bool) -> None:
    with api(ctx) as client:
        row = client.post(f"/people/{person_id}/{verb}")
    _show(row, as_json, f"{plain(row['name'])} {said}")


def _show(row: dict[str, Any], as_json: bool, said: str) -> None:
    if as_json:
        print_json(row)
    else:
        console().print(f"[green]✓[/] {said}")
