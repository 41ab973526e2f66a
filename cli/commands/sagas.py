"""`kivuko watch|retry|cancel`, and what the commands of all payments share: an id says by itself what it names."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from cli.context import api
from cli.errors import Failure
from cli.follow import Narrator, events, follow
from cli.kinds import ENDED, key_of, kind_of, path_of, shown_of
from cli.output import AsJson, as_json_text, console, pairs, plain, print_json, table, tinted
from core.money import Money
from models.kinds import KINDS, SagaKind
from models.statuses import Status

SagaId = Annotated[str, typer.Argument(help=f"Such as {', '.join(f'{kind.id_prefix}_01ktv…' for kind in KINDS)}")]
Partner = Annotated[str | None, typer.Option(help="The partner's id, prt_…; a partner's own key needs none.")]
Currency = Annotated[str, typer.Option(help="The wallet's currency.")]
FollowIt = Annotated[bool, typer.Option("--watch", help="Follow it to its end.")]


def watch(
    ctx: typer.Context,
    saga_id: SagaId,
    seconds: Annotated[float | None, typer.Option(help="Stop watching after so long.")] = None,
    as_json: AsJson = False,
) -> None:
    """Shows a payment live until it ends. With --json: one object a line, the payment itself last."""
    out = console()
    narrator = Narrator(out)
    kind = kind_of(saga_id)
    with api(ctx) as client:
        for event in follow(client, saga_id, seconds=seconds):
            if as_json:
                print(as_json_text({"event": event}), flush=True)
            else:
                narrator.tell(event)
        row = client.get(path_of(saga_id))
    if as_json:
        print(as_json_text({key_of(kind): row}), flush=True)
    else:
        glance(kind, row)


def retry(
    ctx: typer.Context,
    saga_id: SagaId,
    note: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Goes on now instead of at the end of the wait: asks the provider what became of it, reads or posts again."""
    command(ctx, saga_id, "retry", {"note": note}, as_json)


def cancel(
    ctx: typer.Context,
    saga_id: SagaId,
    note: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Stops a payment of which nothing was sent yet; refused once money may have moved."""
    command(ctx, saga_id, "cancel", {"note": note}, as_json)


def command(ctx: typer.Context, saga_id: str, verb: str, body: dict[str, Any], as_json: bool) -> None:
    """Sends a command to a saga and says where the saga was then."""
    with api(ctx) as client:
        taken = client.post(f"{path_of(saga_id)}/{verb}", body)
    if as_json:
        print_json(taken)
        return
    stage = (taken or {}).get("stage", "")
    more = "" if stage in ENDED else f"; follow it: kivuko watch {plain(saga_id)}"
    console().print(f"[green]✓[/] {verb} taken at stage {tinted(stage)}{more}")


def started(ctx: typer.Context, row: dict[str, Any], follow_it: bool, as_json: bool, *hints: str) -> None:
    """What a command that starts a saga says of it; `hints` are what somebody has to do now."""
    if as_json and not follow_it:
        print_json(row)
        return
    if not as_json:
        for hint in (*hints, *([] if follow_it else [f"follow it: kivuko watch {row['id']}"])):
            console().print(f"[green]✓[/] {plain(row['id'])} is {tinted(row['stage'])}; {plain(hint)}")
    if follow_it:
        watch(ctx, row["id"], as_json=as_json)


def add_list(
    app: typer.Typer,
    kind: SagaKind,
    columns: Mapping[str, str],
    about: str,
    name: str = "list",
    *,
    panel: str | None = None,
) -> None:
    """A command that lists the newest of a kind; `columns` are the names of further fields by their heading."""

    @app.command(name, help=about, rich_help_panel=panel)
    def list_them(
        ctx: typer.Context,
        partner: Annotated[str | None, typer.Option(help="Of this partner only.")] = None,
        stage: Annotated[str | None, typer.Option(help="At this stage only, such as in_review.")] = None,
        status: Annotated[Status | None, typer.Option(help="How far, in the words that all payments share.")] = None,
        reference: Annotated[
            str | None, typer.Option(help="Your own name for it, as it was given at its start.")
        ] = None,
        since: Annotated[
            str | None, typer.Option(help="Asked for then or later: 2026-11-21 or 2026-11-21T06:00.")
        ] = None,
        before: Annotated[str | None, typer.Option(help="Asked for before then.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
        as_json: AsJson = False,
    ) -> None:
        only = {
            "partner_id": partner, "stage": stage, "status": status, "client_reference": reference,
            "created_from": moment(since), "created_before": moment(before),
        }  # fmt: skip
        with api(ctx) as client:
            rows = client.get(kind.path, **only, limit=limit)["items"]
        if as_json:
            print_json(rows)
            return
        fields = (*columns.values(), "created_at")
        told = [[row["id"], tinted(row["stage"]), *(row.get(field) for field in fields)] for row in rows]
        console().print(table(None, ["id", "stage", *columns, "since"], told) if rows else f"No {kind.word}s yet.")


def moment(given: str | None) -> str | None:
    """A day or a time as people write it, as the API takes it: by this machine's clock where no zone is named. Raises
    Failure."""
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise Failure(f"{given} is no time: write it such as 2026-11-21 or 2026-11-21T06:00.", code="usage") from None
    return found.astimezone().isoformat()


def show_one(ctx: typer.Context, kind: SagaKind, saga_id: str, as_json: bool) -> None:
    """One saga with its timeline. Raises Failure for an id of another kind."""
    if kind_of(saga_id) is not kind:
        raise Failure(f"{saga_id} is no {kind.word}: those begin with {kind.id_prefix}_.", code="usage")
    with api(ctx) as client:
        row = client.get(path_of(saga_id))
        timeline = events(client, saga_id)
    if as_json:
        print_json({**row, "events": timeline})
        return
    narrator = Narrator(console())
    for event in timeline:
        narrator.tell(event)
    glance(kind, row)


def glance(kind: SagaKind, row: dict[str, Any]) -> None:
    """One saga for people."""
    out = console()
    out.print(f"\n{plain(row['id'])}: {tinted(row['stage'])}")
    facts = {name.replace("_", " "): row.get(name) for name in shown_of(kind)}
    saga = row.get("saga") or {}
    out.print(pairs(None, {"waits for": saga.get("waiting_for"), **facts}))


def plain_money(amount: str, currency: str) -> dict[str, str]:
    """An amount from the command line as the API takes it. Raises Failure, and InvalidRequest for too many decimals."""
    if not re.fullmatch(r"[0-9][0-9,]*(\.[0-9]+)?", amount):
        raise Failure(f"{amount} is no amount: write it such as 2500, 2,500 or 2500.00.", code="usage")
    found = Money.parse(amount.replace(",", ""), currency)
    return {"amount": found.amount, "currency": found.currency}


def with_partner(body: dict[str, Any], partner: str | None) -> dict[str, Any]:
    return {**body, "partner_id": partner} if partner else body
