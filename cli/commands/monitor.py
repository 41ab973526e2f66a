"""`kivuko monitor`: how things go, on one screen."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from cli.context import api
from cli.output import AsJson, Styled, cell, coloured, console, plain, print_json, table

_WORD: Final = 30  # characters of a name in a sentence
# Title, the part of the answer, and its columns.
_TABLES: Final = (
    ("Payments", "rates", "kind hours completed failed cancelled under_way success"),
    ("Wallets", "wallets", "lender available held balance alert low"),
    ("At providers", "floats", "lender provider account balance told_at"),
    ("Messages, 24 hours", "messages", "channel sent delivered undelivered silent failed unclear waiting"),
    ("Connections", "connections", "lender provider status calls failed_calls median_ms answered_at detail"),
    ("Queues", "queues", "queue pollers backlog oldest_seconds known"),
    ("Schedules", "schedules", "schedule ran_at every_seconds late"),
)


def monitor(
    ctx: typer.Context,
    partner: Annotated[str | None, typer.Option(help="Of this partner only.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rates, wallets, who is short of float, messages, connections, queues, schedules; exit code 1 in an outage."""
    with api(ctx) as client:
        seen = client.get("/monitoring", partner_id=partner)
    if as_json:
        print_json(seen)
    else:
        _show(console(), seen)
    if seen["outages"]:
        raise typer.Exit(1)


def _show(out: Console, seen: dict[str, Any]) -> None:
    for line in _sentences(seen):
        out.print(line, soft_wrap=False)
    for title, part, names in _TABLES:
        columns = names.split()
        rows = [tuple(_cell(name, row) for name in columns) for row in seen[part]]
        if rows:
            out.print(table(title, [name.replace("_", " ") for name in columns], rows))


def _sentences(seen: dict[str, Any]) -> Iterator[str]:
    """What is wrong."""
    for one in seen["outages"]:
        whose = "everybody" if one["everywhere"] else one["lender"] or one["partner_id"] or "us"
        yield (
            f"[red]✗[/] {plain(one['provider'], _WORD)} does not answer {plain(whose, _WORD)}: {one['in_a_row']} calls in"
            f" a row failed ({plain(one['last_failure'] or '-', _WORD)}), since {cell(one['since'])}"
        )
    if seen["problems"]:
        counted = ", ".join(f"{number} {plain(problem)}" for problem, number in sorted(seen["problems"].items()))
        yield f"[yellow]![/] needs attention: {counted} (kivuko attention)"
    for one in seen["short"]:
        yield f"[yellow]![/] {plain(one['lender'] or one['partner_id'], _WORD)} is {plain(one['says'], 80)}"
    if (unknown := seen["oldest_unknown"]) is not None:
        yield f"[yellow]![/] oldest unknown outcome: {plain(unknown['reference'], 80)}, since {cell(unknown['since'])}"


def _cell(name: str, row: dict[str, Any]) -> Any:
    value = row.get(name)
    if name == "success" and value is not None:
        return f"{value:.1%}"
    if name == "status" and value in ("blocked", "failing"):
        return coloured(value, "red")
    if name in ("low", "late") and value:
        return Styled("[red]yes[/]")
    if name == "pollers" and row["known"] and not value:
        return Styled("[red]nobody[/]")
    return value
