"""`kivuko disburse|disbursements|watch|resolve|retry|cancel`: one loan's crossing, from the operator's side."""

import json
from typing import Annotated, Any

import typer

from cli.context import api
from cli.errors import Failure
from cli.follow import ENDED, Narrator, follow
from cli.output import AsJson, cell, console, pairs, print_json, table, tinted

DisbursementId = Annotated[str, typer.Argument(help="Such as dsb_01ktv…")]
_AT_A_GLANCE = (
    "partner_id", "loan_id", "account_no", "source", "amount", "principal", "charges", "paid", "receipts",
    "transaction_id", "reason_code", "reason", "workflow_id", "created_at", "ended_at",
)  # fmt: skip


def disburse(
    ctx: typer.Context,
    partner: Annotated[str, typer.Argument(help="The partner's id, prt_…")],
    loan_id: Annotated[int, typer.Argument(help="The loan's id in Fineract.")],
    follow_it: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Starts the disbursement of an approved loan, or shows the one that there is."""
    with api(ctx) as client:
        # Naturally unique: one saga per loan, however often this is said.
        row = client.post("/disbursements", {"partner_id": partner, "loan_id": loan_id})
    if follow_it:
        watch(ctx, row["id"], as_json=as_json)
    elif as_json:
        print_json(row)
    else:
        console().print(f"[green]✓[/] {row['id']} is {tinted(row['stage'])}; follow it: kivuko watch {row['id']}")


def list_disbursements(
    ctx: typer.Context,
    partner: Annotated[str | None, typer.Option(help="Of this partner only.")] = None,
    stage: Annotated[str | None, typer.Option(help="At this stage only, such as in_review.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest disbursements."""
    with api(ctx) as client:
        rows = client.get("/disbursements", partner_id=partner, stage=stage, limit=limit)["items"]
    if as_json:
        print_json(rows)
        return
    listed = table(None, ["id", "loan", "stage", "amount", "receipts", "since"], [])
    for row in rows:
        told = (row["id"], row["loan_id"], row.get("amount"), row.get("receipts"), row["created_at"])
        first, loan, *rest = (cell(value) for value in told)
        listed.add_row(first, loan, tinted(row["stage"]), *rest)
    console().print(listed if rows else "No disbursements yet.")


def watch(
    ctx: typer.Context,
    disbursement_id: DisbursementId,
    seconds: Annotated[float | None, typer.Option(help="Stop watching after so long.")] = None,
    as_json: AsJson = False,
) -> None:
    """Shows a disbursement live until it ends. With --json: one object a line, the disbursement itself last."""
    out = console()
    narrator = Narrator(out)
    with api(ctx) as client:
        for event in follow(client, disbursement_id, seconds=seconds):
            if as_json:
                print(json.dumps({"event": event}, ensure_ascii=False), flush=True)
            else:
                narrator.tell(event)
        row = client.get(f"/disbursements/{disbursement_id}")
    if as_json:
        print(json.dumps({"disbursement": row}, ensure_ascii=False), flush=True)
    else:
        show(row)


def resolve(
    ctx: typer.Context,
    disbursement_id: DisbursementId,
    paid: Annotated[bool, typer.Option("--paid", help="The client has the money; needs --receipt.")] = False,
    not_paid: Annotated[bool, typer.Option("--not-paid", help="The money never left.")] = False,
    posted: Annotated[bool, typer.Option("--posted", help="Somebody booked it in Fineract by hand.")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Post only what was paid of a split loan.")] = False,
    evidence: Annotated[str, typer.Option(help="What this rests on: the portal's line, a statement, a call.")] = "",
    receipt: Annotated[str | None, typer.Option(help="M-Pesa's receipt.")] = None,
    transaction: Annotated[int | None, typer.Option(help="Fineract's transaction id, with --posted.")] = None,
    as_json: AsJson = False,
) -> None:
    """Decides, with evidence, what a machine must not guess. Only a disbursement in review takes it."""
    chosen = {"paid": paid, "not_paid": not_paid, "posted": posted, "partial": partial}
    decisions = [name for name, given in chosen.items() if given]
    if len(decisions) != 1:
        raise Failure("Give exactly one of --paid, --not-paid, --posted, --partial.", code="usage")
    if not evidence:
        raise Failure("Say what the decision rests on: --evidence.", code="usage")
    if paid and not receipt:
        raise Failure("A payout is resolved as paid only with its receipt: --receipt.", code="usage")
    body = {"decision": decisions[0], "evidence": evidence, "receipt": receipt, "transaction_id": transaction}
    _command(ctx, disbursement_id, "resolve", {k: v for k, v in body.items() if v is not None}, as_json)


def retry(
    ctx: typer.Context,
    disbursement_id: DisbursementId,
    note: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Goes on now instead of at the end of the wait: asks M-Pesa what became of it, reads or posts again."""
    _command(ctx, disbursement_id, "retry", {"note": note}, as_json)


def cancel(
    ctx: typer.Context,
    disbursement_id: DisbursementId,
    note: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Stops a disbursement of which nothing was sent yet; refused once money may have left."""
    _command(ctx, disbursement_id, "cancel", {"note": note}, as_json)


def show(row: dict[str, Any]) -> None:
    """One disbursement for people."""
    out = console()
    out.print(f"\n{row['id']}: {tinted(row['stage'])}")
    facts = {name.replace("_", " "): row.get(name) for name in _AT_A_GLANCE}
    saga = row.get("saga") or {}
    out.print(pairs(None, {"waits for": saga.get("waiting_for"), **facts}))


def _command(ctx: typer.Context, disbursement_id: str, verb: str, body: dict[str, Any], as_json: bool) -> None:
    with api(ctx) as client:
        taken = client.post(f"/disbursements/{disbursement_id}/{verb}", body)
    if as_json:
        print_json(taken)
        return
    stage = (taken or {}).get("stage", "")
    more = "" if stage in ENDED else f"; follow it: kivuko watch {disbursement_id}"
    console().print(f"[green]✓[/] {verb} taken at stage {tinted(stage)}{more}")
