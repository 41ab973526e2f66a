"""`kivuko proposals`: what waits for a second person."""

from typing import Annotated

import typer

from cli.context import api
from cli.output import AsJson, console, pairs, print_json, table

app = typer.Typer(no_args_is_help=True, help="What one person proposed and a second one must agree to.")

ProposalId = Annotated[str, typer.Argument(help="Such as prp_01ktv…")]


@app.command("list")
def list_proposals(
    ctx: typer.Context,
    state: Annotated[str | None, typer.Option(help="open, agreed, declined or expired; `all` for every one.")] = "open",
    as_json: AsJson = False,
) -> None:
    """Those that this key could agree to or decline, newest first."""
    with api(ctx) as client:
        rows = list(client.pages("/proposals", **({} if state in (None, "all") else {"state": state})))
    if as_json:
        print_json(rows)
        return
    columns = ("id", "act", "subject", "evidence", "proposed_by", "state", "expires_at")
    console().print(
        table(None, [c.replace("_", " ") for c in columns], [[row.get(column) for column in columns] for row in rows])
    )


@app.command()
def agree(
    ctx: typer.Context,
    proposal_id: ProposalId,
    note: Annotated[str | None, typer.Option(help="What your agreement rests on.")] = None,
    as_json: AsJson = False,
) -> None:
    """Agrees as the second person; then it is done."""
    with api(ctx) as client:
        done = client.post(f"/proposals/{proposal_id}/agree", {"note": note} if note else {})
    _show(done, as_json)


@app.command()
def decline(
    ctx: typer.Context,
    proposal_id: ProposalId,
    reason: Annotated[str, typer.Option(help="Why it must not happen.")],
    as_json: AsJson = False,
) -> None:
    """Declines or withdraws it; it never happens then."""
    with api(ctx) as client:
        done = client.post(f"/proposals/{proposal_id}/decline", {"reason": reason})
    _show(done, as_json)


def _show(row: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(row)
    else:
        console().print(pairs(None, row))
