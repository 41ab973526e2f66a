"""`kivuko cases`: what a person must decide."""

from typing import Annotated

import typer

from cli.context import api
from cli.errors import Failure
from cli.output import AsJson, console, pairs, print_json, table

app = typer.Typer(no_args_is_help=True, help="The case desk: what a person must decide, with its evidence.")


@app.command("list")
def list_cases(
    ctx: typer.Context,
    state: Annotated[str, typer.Option(help="open or closed.")] = "open",
    partner: Annotated[str | None, typer.Option(help="Of this partner only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: AsJson = False,
) -> None:
    """The newest cases."""
    with api(ctx) as client:
        rows = client.get("/cases", state=state, partner_id=partner, limit=limit)["items"]
    if as_json:
        print_json(rows)
    elif not rows:
        console().print(f"[green]✓[/] no {state} cases")
    else:
        console().print(
            table(
                None,
                ["case", "kind", "what happened", "since"],
                [(row["id"], row["kind"], row["summary"], row["opened_at"]) for row in rows],
            )
        )


@app.command()
def show(ctx: typer.Context, case_id: str, as_json: AsJson = False) -> None:
    """One case with all its evidence."""
    with api(ctx) as client:
        row = next((one for one in client.pages("/cases", limit=200) if one["id"] == case_id), None)
    if row is None:
        raise Failure("No case has that id.", code="not_found")
    if as_json:
        print_json(row)
        return
    evidence = row.pop("evidence", None) or {}
    console().print(pairs(row["summary"], row))
    console().print(pairs("\nEvidence", evidence))


@app.command()
def close(
    ctx: typer.Context,
    case_id: str,
    reason: Annotated[str, typer.Option(help="Why it needs nobody any more.")],
    as_json: AsJson = False,
) -> None:
    """Closes a case that needs nothing more of a saga."""
    with api(ctx) as client:
        row = client.post(f"/cases/{case_id}/close", {"reason": reason})
    if as_json:
        print_json(row)
    else:
        console().print(f"[green]✓[/] {case_id} is closed")
