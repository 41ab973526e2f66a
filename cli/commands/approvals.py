"""`kivuko approvals`: what waits for other people to agree."""

from typing import Annotated, Any

import typer

from cli.context import api
from cli.output import AsJson, console, pairs, print_json, table

app = typer.Typer(no_args_is_help=True, help="What one person asked for and others must agree to.")

RequestId = Annotated[str, typer.Argument(help="Such as apr_01ktv…")]
AsPerson = Annotated[str | None, typer.Option("--as", help="Answer for the person who delegated this to you: psn_…")]
_COLUMNS = ("id", "act", "subject", "amount", "evidence", "requested_by_name", "state", "expires_at")


@app.command("list")
def list_approvals(
    ctx: typer.Context,
    state: Annotated[
        str | None, typer.Option(help="open, approved, rejected, expired, cancelled or stale; `all` for every one.")
    ] = "open",
    mine: Annotated[bool, typer.Option("--mine", help="Only those that I could answer now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Those whose acts this key may answer, newest first."""
    wanted: dict[str, Any] = {"mine": "true"} if mine else {} if state in (None, "all") else {"state": state}
    with api(ctx) as client:
        rows = list(client.pages("/approvals", **wanted))
    if as_json:
        print_json(rows)
        return
    lines = [[_cell(row, column) for column in _COLUMNS] for row in rows]
    console().print(table(None, [column.replace("_", " ") for column in _COLUMNS], lines))


@app.command()
def show(ctx: typer.Context, request_id: RequestId, as_json: AsJson = False) -> None:
    """One request: what exactly would be done, and who has answered."""
    with api(ctx) as client:
        _show(client.get(f"/approvals/{request_id}"), as_json)


@app.command()
def approve(
    ctx: typer.Context,
    request_id: RequestId,
    note: Annotated[str | None, typer.Option(help="What your approval rests on.")] = None,
    as_person: AsPerson = None,
    as_json: AsJson = False,
) -> None:
    """Agrees as another person; once enough have, it is done. Shown first is what you agree to, and only that counts."""
    with api(ctx) as client:
        seen = client.get(f"/approvals/{request_id}")
        body = {"note": note, "version": seen["version"], "as_person": as_person}
        done = client.post(f"/approvals/{request_id}/approve", body)
    _show(done, as_json)


@app.command()
def reject(
    ctx: typer.Context,
    request_id: RequestId,
    reason: Annotated[str, typer.Option(help="Why it must not happen.")],
    as_person: AsPerson = None,
    as_json: AsJson = False,
) -> None:
    """Refuses it, or withdraws your own; it never happens then."""
    with api(ctx) as client:
        done = client.post(f"/approvals/{request_id}/reject", {"reason": reason, "as_person": as_person})
    _show(done, as_json)


@app.command()
def code(ctx: typer.Context, request_id: RequestId, as_person: AsPerson = None, as_json: AsJson = False) -> None:
    """A code with which you can answer in Temporal's own pages: shown once, used once."""
    with api(ctx) as client:
        made = client.post(f"/approvals/{request_id}/code", {"as_person": as_person})
    if as_json:
        print_json(made)
        return
    console().print(pairs(None, made))
    console().print('Send the update `decide` there: {"decision": "approve", "code": "…"}')


@app.command()
def delegate(
    ctx: typer.Context,
    from_person: Annotated[str, typer.Option("--from", help="Whose answers: psn_…")],
    to_person: Annotated[str, typer.Option("--to", help="Who may give them: psn_…")],
    since: Annotated[str, typer.Option(help="From when on, such as 2026-12-20T00:00:00Z.")],
    until: Annotated[str, typer.Option(help="Until when, 92 days later at most.")],
    as_json: AsJson = False,
) -> None:
    """Lets one person answer in another's stead for a time. For admins."""
    body = {"from_person": from_person, "to_person": to_person, "since": since, "until": until}
    with api(ctx) as client:
        _show(client.post("/approval-rules/delegations", body), as_json)


def _cell(row: dict[str, Any], column: str) -> Any:
    value = row.get(column)
    return f"{value['currency']} {value['amount']}" if column == "amount" and value else value


def _show(row: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(row)
    else:
        console().print(pairs(None, row))
