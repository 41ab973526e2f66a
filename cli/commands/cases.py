"""`kivuko cases`: what a person must decide."""

from typing import Annotated, Any

import typer

from cli.commands import unknown_outcomes
from cli.context import api
from cli.errors import Failure
from cli.follow import Narrator
from cli.output import AsJson, Styled, coloured, console, pairs, plain, print_json, table, tinted

app = typer.Typer(no_args_is_help=True, help="The case desk: what a person must decide, with its evidence.")

CaseId = Annotated[str, typer.Argument(help="Such as cas_01ktv…")]
_AT_A_GLANCE = (
    "kind",
    "state",
    "owner",
    "partner_id",
    "workflow_id",
    "opened_at",
    "closed_at",
    "closed_by",
    "resolution",
    "amount",
    "phone",
    "account",
    "receipt",
)


@app.command("list")
def list_cases(
    ctx: typer.Context,
    state: Annotated[str, typer.Option(help="open or closed.")] = "open",
    kind: Annotated[str | None, typer.Option(help="Of this kind only, such as payout_unknown.")] = None,
    owner: Annotated[str | None, typer.Option(help="me, nobody, or a person's id.")] = None,
    partner: Annotated[str | None, typer.Option(help="Of this partner only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: AsJson = False,
) -> None:
    """The newest cases."""
    with api(ctx) as client:
        rows = client.get("/cases", state=state, kind=kind, owner=owner, partner_id=partner, limit=limit)["items"]
    if as_json:
        print_json(rows)
    elif not rows:
        console().print(f"[green]✓[/] no {state} cases")
    else:
        columns = [
            "case",
            "kind",
            "amount",
            "phone",
            "account",
            "receipt",
            "you may",
            "what happened",
            "owner",
            "since",
        ]
        console().print(
            table(
                None,
                columns,
                [
                    (row["id"], _kind(row), row["amount"], row["phone"], row["account"], row["receipt"] or row["reference"],
                     ", ".join(row["actions"]) or "close", row["summary"], row["owner"], row["opened_at"])
                    for row in rows
                ],
                least=("owner", "since", "what happened", "you may"),
            )
        )  # fmt: skip


@app.command()
def show(ctx: typer.Context, case_id: CaseId, as_json: AsJson = False) -> None:
    """One case with its saga, its evidence and the whole timeline."""
    with api(ctx) as client:
        row = client.get(f"/cases/{case_id}")
    if as_json:
        print_json(row)
        return
    out = console()
    out.print(f"[bold]{plain(row['summary'])}[/]\n{plain(row['means'])}\n")
    out.print(pairs(None, {name.replace("_", " "): row[name] for name in _AT_A_GLANCE}))
    if saga := row["saga"]:
        waiting = (row["now"] or {}).get("waiting_for")
        out.print(f"\n[bold]Saga[/] {plain(saga['id'])}: {tinted(saga['stage'])}")
        out.print(pairs(None, {"waits for": waiting, "page": saga["href"]}))
    out.print(pairs("\nEvidence", row["evidence"]))
    if row["events"]:
        out.print("\n[bold]Timeline[/]")
        narrator = Narrator(out)
        for event in row["events"]:
            narrator.tell(event)
    if row["state"] == "open":
        ways = [f"kivuko cases act {plain(row['id'])} {plain(action)}" for action in row["actions"]]
        out.print("\n" + "\n".join(ways or [f"kivuko cases close {plain(row['id'])} --reason …"]))


@app.command()
def take(ctx: typer.Context, case_id: CaseId, as_json: AsJson = False) -> None:
    """Says that you look at it."""
    _post(ctx, case_id, "take", {}, "is yours", as_json)


@app.command("give-back")
def give_back(ctx: typer.Context, case_id: CaseId, as_json: AsJson = False) -> None:
    """Says that you do not look at it any more."""
    _post(ctx, case_id, "give-back", {}, "is nobody's", as_json)


@app.command()
def act(
    ctx: typer.Context,
    case_id: CaseId,
    action: Annotated[str, typer.Argument(help="One that `cases show` names, such as paid, posted, retry.")],
    evidence: Annotated[
        str | None, typer.Option(help="What this rests on: the portal's line, a statement, a call.")
    ] = None,
    receipt: Annotated[str | None, typer.Option(help="The provider's receipt, with paid.")] = None,
    paid_at: Annotated[str | None, typer.Option(help="When, with its zone: 2026-11-21T09:14:00+03:00.")] = None,
    transaction: Annotated[int | None, typer.Option(help="Fineract's transaction id, with posted.")] = None,
    to: Annotated[
        list[str] | None, typer.Option(help="With allocate: loan:000000091:1000.00:KES; once for each account.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Decides, with evidence, what the case's saga waits for; or has it go on at once (retry)."""
    body = {
        "action": action, "evidence": evidence, "receipt": receipt, "paid_at": paid_at, "transaction_id": transaction,
        "allocations": [_allocation(text) for text in to] if to else None,
    }  # fmt: skip
    with api(ctx) as client:
        taken = client.post(f"/cases/{case_id}/act", {name: value for name, value in body.items() if value is not None})
    if as_json:
        print_json(taken)
    else:
        stage = tinted(taken["stage"])
        console().print(f"[green]✓[/] {plain(action)} taken at stage {stage}; the case closes when its saga goes on")


@app.command()
def close(
    ctx: typer.Context,
    case_id: CaseId,
    reason: Annotated[str, typer.Option(help="Why it needs nobody any more.")],
    as_json: AsJson = False,
) -> None:
    """Closes a case that needs nothing more of a saga."""
    _post(ctx, case_id, "close", {"reason": reason}, "is closed", as_json)


app.command("unknown")(unknown_outcomes.unknown)
app.command("ask")(unknown_outcomes.ask)
app.command("resolve")(unknown_outcomes.resolve)


def _post(ctx: typer.Context, case_id: str, verb: str, body: dict[str, Any], said: str, as_json: bool) -> None:
    with api(ctx) as client:
        row = client.post(f"/cases/{case_id}/{verb}", body)
    if as_json:
        print_json(row)
    else:
        console().print(f"[green]✓[/] {plain(case_id)} {said}")


def _allocation(text: str) -> dict[str, Any]:
    parts = text.split(":")
    if len(parts) != 4:
        raise Failure(
            f"{text!r} is not kind:account:amount:currency, such as loan:000000091:1000.00:KES.", code="usage"
        )
    kind, account, amount, currency = parts
    return {"kind": kind, "account": account, "amount": {"amount": amount, "currency": currency}}


def _kind(row: dict[str, Any]) -> Styled:
    """Red where a saga waits for somebody."""
    colour = "dim" if row["state"] == "closed" else "red" if row["actions"] else "yellow"
    return coloured(row["kind"], colour)
