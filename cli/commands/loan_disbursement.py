"""`kivuko disburse|disbursements|resolve`: one loan's disbursement, from the operator's side."""

from typing import Annotated, Final

import typer

from cli.commands.sagas import FollowIt, add_list, command, started
from cli.context import api
from cli.errors import Failure
from cli.output import AsJson
from models import kinds

DisbursementId = Annotated[str, typer.Argument(help="Such as dsb_01ktv…")]

KIND: Final = kinds.named("loan-disbursement")
# What of one is for people's eyes.
SHOWN: Final = (
    "partner_id", "loan_id", "account", "source", "amount", "principal", "charges", "paid", "receipts",
    "transaction_id",
)  # fmt: skip


def disburse(
    ctx: typer.Context,
    partner: Annotated[str, typer.Argument(help="The partner's id, prt_…")],
    loan_id: Annotated[int, typer.Argument(help="The loan's id in Fineract.")],
    evidence: Annotated[
        str | None, typer.Option(help="Why it may be paid again, if it was sent before; a second person must agree.")
    ] = None,
    follow_it: FollowIt = False,
    as_json: AsJson = False,
) -> None:
    """Starts the disbursement of an approved loan, or shows the one that there is."""
    with api(ctx) as client:
        # Naturally unique: one saga per loan, however often this is said.
        row = client.post("/disbursements", {"partner_id": partner, "loan_id": loan_id} | _why(evidence))
    started(ctx, row, follow_it, as_json)


def _why(evidence: str | None) -> dict[str, str]:
    return {"evidence": evidence} if evidence else {}


def resolve(
    ctx: typer.Context,
    disbursement_id: DisbursementId,
    paid: Annotated[bool, typer.Option("--paid", help="The client has the money; needs --receipt.")] = False,
    not_paid: Annotated[bool, typer.Option("--not-paid", help="The money never left.")] = False,
    posted: Annotated[bool, typer.Option("--posted", help="Somebody booked it in Fineract by hand.")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Post only what was paid of a split loan.")] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Agree to what another person said.")] = False,
    decline: Annotated[bool, typer.Option("--decline", help="Do not agree to it.")] = False,
    evidence: Annotated[str, typer.Option(help="What this rests on: the portal's line, a statement, a call.")] = "",
    receipt: Annotated[str | None, typer.Option(help="M-Pesa's receipt.")] = None,
    transaction: Annotated[int | None, typer.Option(help="Fineract's transaction id, with --posted.")] = None,
    as_json: AsJson = False,
) -> None:
    """Decides, with evidence, what a machine must not guess. That nothing was paid takes two people: one says --not-paid,
    another --approve."""
    chosen = {
        "paid": paid, "not_paid": not_paid, "posted": posted, "partial": partial, "approve": approve,
        "decline": decline,
    }  # fmt: skip
    decisions = [name for name, given in chosen.items() if given]
    if len(decisions) != 1:
        raise Failure(
            "Give exactly one of --paid, --not-paid, --posted, --partial, --approve, --decline.", code="usage"
        )
    if not evidence:
        raise Failure("Say what the decision rests on: --evidence.", code="usage")
    if paid and not receipt:
        raise Failure("A payout is resolved as paid only with its receipt: --receipt.", code="usage")
    body = {"decision": decisions[0], "evidence": evidence, "receipt": receipt, "transaction_id": transaction}
    command(ctx, disbursement_id, "resolve", {k: v for k, v in body.items() if v is not None}, as_json)


def add_to(parent: typer.Typer) -> None:
    parent.command("disburse", rich_help_panel="Payments")(disburse)
    columns = {"loan": "loan_id", "amount": "amount", "receipts": "receipts"}
    add_list(parent, KIND, columns, "The newest disbursements.", "disbursements", panel="Payments")
    parent.command("resolve", rich_help_panel="Payments")(resolve)
