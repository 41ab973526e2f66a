"""`kivuko bulk`: one command for many payments, each with its own result."""

from typing import Annotated, Any, Final

import typer

from cli.commands.sagas import moment
from cli.context import api
from cli.errors import Failure
from cli.http import ApiClient, poll
from cli.kinds import kind_of
from cli.output import AsJson, coloured, console, pairs, plain, print_json, table
from models.kinds import KINDS
from models.statuses import Status

app = typer.Typer(no_args_is_help=True, help="One command for many payments; each takes or refuses it for itself.")

BulkId = Annotated[str, typer.Argument(help="Such as blk_01ktv…")]
Ids = Annotated[list[str] | None, typer.Argument(help="The payments' ids; none to choose them by options.")]
Kind = Annotated[str | None, typer.Option(help=f"Of which kind: {', '.join(kind.resource for kind in KINDS)}.")]
Stage = Annotated[str | None, typer.Option(help="At this stage, such as in_review.")]
OfStatus = Annotated[Status | None, typer.Option(help="How far, in the words that all payments share.")]
OfPartner = Annotated[str | None, typer.Option("--partner", help="Of this partner only.")]
Reference = Annotated[str | None, typer.Option(help="Your own name for it, as it was given at its start.")]
Since = Annotated[str | None, typer.Option(help="Asked for then or later: 2026-11-21 or 2026-11-21T06:00.")]
Before = Annotated[str | None, typer.Option(help="Asked for before then.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be taken and what refused now.")]
Seconds = Annotated[float, typer.Option("--wait", min=0, max=3600, help="Seconds to wait for the end.")]

_COLOURS: Final = {
    "taken": "green", "refused": "red", "unanswered": "red", "skipped": "yellow", "would_take": "green",
    "would_refuse": "red", "not_known": "yellow",
}  # fmt: skip
_COUNTS: Final = ("waiting", "taken", "refused", "unanswered", "skipped")


@app.command()
def retry(
    ctx: typer.Context, ids: Ids = None, *, reason: Reason, kind: Kind = None, stage: Stage = None,
    status: OfStatus = None, partner: OfPartner = None, reference: Reference = None, since: Since = None,
    before: Before = None, dry_run: DryRun = False, wait: Seconds = 300, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Has them go on at once instead of at the end of a wait. Exit code 1 unless every one took it."""
    only = _filters(stage, status, partner, reference, since, before)
    _command(ctx, "retry", ids, kind, only, reason, dry_run, wait, as_json)


@app.command()
def cancel(
    ctx: typer.Context, ids: Ids = None, *, reason: Reason, kind: Kind = None, stage: Stage = None,
    status: OfStatus = None, partner: OfPartner = None, reference: Reference = None, since: Since = None,
    before: Before = None, dry_run: DryRun = False, wait: Seconds = 300, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Stops those of which nothing was sent yet. Exit code 1 unless every one took it."""
    only = _filters(stage, status, partner, reference, since, before)
    _command(ctx, "cancel", ids, kind, only, reason, dry_run, wait, as_json)


@app.command("list")
def list_them(
    ctx: typer.Context, limit: Annotated[int, typer.Option(min=1, max=200)] = 20, as_json: AsJson = False
) -> None:
    """Bulk actions, newest first."""
    with api(ctx) as client:
        rows = client.get("/bulk-actions", limit=limit)["items"]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "kind", "command", "state", "of", *_COUNTS[1:], "reason", "asked"]
    lines = [
        [row["id"], row["kind"], row["command"], row["state"], row["counts"]["total"],
         *(row["counts"][name] for name in _COUNTS[1:]), row["reason"], row["created_at"]]
        for row in rows
    ]  # fmt: skip
    console().print(table(None, columns, lines, least=("asked", "skipped", "unanswered")))


@app.command()
def show(ctx: typer.Context, bulk_id: BulkId, as_json: AsJson = False) -> None:
    """One of them, with what each payment said."""
    with api(ctx) as client:
        _show(client.get(f"/bulk-actions/{bulk_id}"), _items(client, bulk_id), as_json)


@app.command()
def stop(ctx: typer.Context, bulk_id: BulkId, as_json: AsJson = False) -> None:
    """What was not sent yet is not sent; what was taken stays taken."""
    with api(ctx) as client:
        row = client.post(f"/bulk-actions/{bulk_id}/stop")
        _show(row, [], as_json)


def _filters(
    stage: str | None, status: Status | None, partner: str | None, reference: str | None, since: str | None,
    before: str | None,
) -> dict[str, Any]:  # fmt: skip
    given = {
        "stage": stage, "status": status, "partner_id": partner, "client_reference": reference,
        "created_from": moment(since), "created_before": moment(before),
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not None}


def _command(
    ctx: typer.Context, command: str, ids: list[str] | None, kind: str | None, only: dict[str, Any], reason: str,
    dry_run: bool, wait: float, as_json: bool,
) -> None:  # fmt: skip
    """Raises Failure for ids and options together, or neither, or no kind."""
    if bool(ids) == bool(only):
        raise Failure("Give either payments' ids, or options that choose them.", code="usage")
    if kind is None and not ids:
        raise Failure("Say of which kind: --kind.", code="usage")
    chosen: dict[str, Any] = {"ids": ids} if ids else {"filters": only}
    kind = kind or kind_of((ids or [""])[0]).resource
    body = {"kind": kind, "command": command, "reason": reason, "dry_run": dry_run, **chosen}
    with api(ctx) as client:
        answer = client.post("/bulk-actions", body)
        if dry_run:
            _show_foreseen(answer, as_json)
            return
        row = _ended(client, answer, wait, as_json)
        items = _items(client, row["id"])
    _show(row, items, as_json)
    if row["counts"]["taken"] != row["counts"]["total"]:
        raise typer.Exit(1)


def _ended(client: ApiClient, row: dict[str, Any], wait: float, as_json: bool) -> dict[str, Any]:
    """The action once it has ended, told on the way. Raises Failure if that takes too long."""
    told = None
    for _ in poll(wait, every=0.5):
        row = client.get(f"/bulk-actions/{row['id']}")
        counts = row["counts"]
        done = counts["total"] - counts["waiting"]
        if not as_json and done != told:
            console().print(f"[dim]{done} of {counts['total']}[/]")
            told = done
        if row["ended_at"]:
            return row
    raise Failure(f"It still runs; look later: kivuko bulk show {row['id']}", code="still_running")


def _items(client: ApiClient, bulk_id: str) -> list[dict[str, Any]]:
    return list(client.pages(f"/bulk-actions/{bulk_id}/items", limit=200))


def _show(row: dict[str, Any], items: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json({**row, "items": items} if items else row)
        return
    facts = ("kind", "command", "reason", "filters", "state", "requested_by", "created_at", "ended_at")
    counts = {name: row["counts"][name] for name in ("total", *_COUNTS) if row["counts"][name]}
    console().print(pairs(row["id"], {name: row[name] for name in facts} | counts))
    if items:
        lines = [[one["id"], _tinted(one["state"]), one["stage"], one["detail"]] for one in items]
        console().print(table(None, ["id", "result", "stage", "said"], lines))


def _show_foreseen(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    lines = [[one["id"], _tinted(one["outcome"]), one["stage"], one["detail"]] for one in told["items"]]
    console().print(table("Nothing was done.", ["id", "now it", "stage", "why"], lines))
    counted = ", ".join(
        f"{told[name]} {name.replace('_', ' ')}" for name in ("would_take", "would_refuse", "not_known")
    )
    console().print(f"\nOf {plain(told['total'])}: {plain(counted)}.")


def _tinted(word: str) -> str:
    return coloured(word.replace("_", " "), _COLOURS.get(word, "cyan"))
