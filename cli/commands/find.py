"""`kivuko find`: a payment by whatever is known of it."""

from typing import Annotated, Any

import typer

from cli.context import api
from cli.output import AsJson, console, plain, print_json, table, tinted


def find(
    ctx: typer.Context,
    text: Annotated[
        list[str],
        typer.Argument(help="A phone, receipt, reference, account, loan, id, workflow id, a payer's or lender's name."),
    ],
    partner: Annotated[str | None, typer.Option(help="Of this partner only.")] = None,
    as_json: AsJson = False,
) -> None:
    """Finds payments, cases and lenders: exact ones first, at most 50. Several words are one text."""
    with api(ctx) as client:
        answer = client.post("/search", {"q": " ".join(text), "partner_id": partner})
    if as_json:
        print_json(answer)
        return
    out = console()
    if not answer["groups"]:
        out.print("Nothing that you may see is found by that.")
        return
    columns = ["id", "stage", "amount", "phone", "name", "receipt", "account", "found by", "lender", "created"]
    for group in answer["groups"]:
        rows = [_row(hit) for hit in group["hits"]]
        out.print(table(group["word"], columns, rows, least=("lender", "created", "account", "found by")))
    if answer["more"]:
        out.print("There are more: say more of it, or name the lender with --partner.")


def _row(hit: dict[str, Any]) -> tuple[Any, ...]:
    why = ", ".join(hit["why"]) + ("" if hit["exact"] else " (in part)")
    return (
        hit["id"], tinted(hit["stage"]) if hit["stage"] else None, hit["amount"], hit["phone"], hit["name"],
        hit["receipt"], hit["account"], why, plain(hit["lender"]) if hit["lender"] else None, hit["created_at"],
    )  # fmt: skip
