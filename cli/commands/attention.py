"""`kivuko attention`: all that a person should know of or decide."""

from typing import Annotated, Any, Final

import typer

from cli.context import api
from cli.output import AsJson, Styled, cell, coloured, console, plain, print_json, table

_COLOURS: Final = {"decision": "red", "unknown_outcome": "red", "posting": "red", "connection": "red"}
_MONEY: Final = {"with_client": "with client", "with_us": "with us", "with_payer": "with payer"}


def attention(
    ctx: typer.Context,
    problem: Annotated[list[str] | None, typer.Option(help="Of this kind only; may be repeated: posting …")] = None,
    owner: Annotated[str | None, typer.Option(help="me, nobody, or a key's id.")] = None,
    partner: Annotated[str | None, typer.Option(help="Of this partner only.")] = None,
    minutes: Annotated[int, typer.Option(min=0, help="Only what began so long ago or earlier.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    as_json: AsJson = False,
) -> None:
    """What needs attention, the oldest first: where the money is, why, and what happens next by itself."""
    with api(ctx) as client:
        answer = client.get(
            "/attention", problem=problem or None, owner=owner, partner_id=partner, minutes=minutes, limit=limit
        )
    rows = answer["items"]
    if as_json:
        print_json(rows)
        return
    out = console()
    if not rows:
        out.print("[green]✓[/] nothing needs attention")
        return
    columns = ["what", "problem", "amount", "money", "client", "receipt", "why", "next", "age", "lender", "owner"]
    out.print(
        table(
            None, columns, [_row(row) for row in rows], least=("owner", "lender", "receipt", "age", "client", "money")
        )
    )
    if answer["next_cursor"]:
        out.print("There are more; choose with --problem, --partner, --owner or --minutes.")


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    what = row["case_id"] or (row["saga"] and row["saga"]["id"]) or row["id"]
    client = ", ".join(part for part in (row["name"], row["phone"]) if part) or row["account"]
    tries = f", try {row['tries']}" if row["tries"] else ""
    why = f"{row['why'] or row['says'] or row['means']}{tries}"
    at = Styled(f"{plain(row['next_step'])} {cell(row['next_at'])}") if row["next_at"] else row["next_step"]
    return (
        what, coloured(row["problem"], _COLOURS.get(row["problem"], "yellow")), row["amount"],
        _MONEY.get(row["money"], row["money"]), client, row["receipt"], why, at, _age(row["age_seconds"]), row["lender"],
        row["owner"],
    )  # fmt: skip


def _age(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
