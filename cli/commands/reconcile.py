"""`kivuko reconcile`: compare a partner's day with M-Pesa, the bank and Fineract, and see what differs."""

from typing import Annotated, Any

import typer

from cli.context import api
from cli.errors import Failure
from cli.http import ApiClient, poll
from cli.output import AsJson, console, plain, print_json, table


def reconcile(
    ctx: typer.Context,
    date: Annotated[str | None, typer.Option(help="The day, such as 2026-11-21; yesterday if none is named.")] = None,
    partner: Annotated[
        str | None, typer.Option(help="Whose day: a partner's id. A partner's own key needs none.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0, max=600, help="Seconds to wait for the end.")] = 120,
    as_json: AsJson = False,
) -> None:
    """Compares a day, again if it was compared before. Exit code 1 if anything differs or could not be checked."""
    body = {name: value for name, value in (("date", date), ("partner_id", partner)) if value is not None}
    with api(ctx) as client:
        asked = client.post("/reconciliations", body)
        found = _ended(client, asked, wait)
    if as_json:
        print_json(found)
    else:
        _show(found)
    if found["state"] != "done" or any(one["state"] == "open" for one in found["differences"]):
        raise typer.Exit(1)


def _ended(client: ApiClient, asked: dict[str, Any], wait: float) -> dict[str, Any]:
    """The comparison once this run of it has ended."""
    for _ in poll(wait, every=0.5):
        rows = client.get("/reconciliations", partner_id=asked["partner_id"], date=asked["date"], limit=1)["items"]
        if rows and rows[0]["finished_at"] and rows[0]["runs"] >= asked["run"]:
            return dict(client.get(f"/reconciliations/{rows[0]['id']}"))
    raise Failure("The comparison still runs; ask again later.", code="still_running")


def _show(found: dict[str, Any]) -> None:
    out = console()
    parts = [(one["part"], one["state"], one["seen"], one["different"], one["detail"]) for one in found["parts"]]
    out.print(table(f"{found['date']}", ["part", "state", "looked at", "different", "why not"], parts))
    still = [one for one in found["differences"] if one["state"] == "open"]
    if not still:
        out.print("\n[green]✓[/] Nothing differs.")
    for one in still:
        out.print(f"\n[red]✗[/] {plain(one['kind'])}: {plain(one['summary'])}")
