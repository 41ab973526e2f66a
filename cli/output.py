"""Two ways to say the same: tables and colour for people, JSON for programs (`--json` at every command)."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

TONES: Final = {"info": "cyan", "good": "green", "warning": "yellow", "bad": "red"}
# For grep and files: wide enough that no cell is folded.
_PIPED_WIDTH: Final = 200
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
MARKS: Final = {"info": "•", "good": "✓", "warning": "!", "bad": "✗"}


def console() -> Console:
    """Made anew each time, since tests and pipes swap standard output."""
    made = Console(highlight=False, soft_wrap=True, emoji=False)  # an account may be called funding:bank:KES
    if not made.is_terminal:
        made.width = _PIPED_WIDTH
    return made


def _remember(ctx: typer.Context, value: bool) -> bool:
    ctx.meta["kivuko.json"] = value
    return value


AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON.", callback=_remember, is_eager=True)]


def print_json(data: Any) -> None:
    print(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def table(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    made = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for place, column in enumerate(columns):
        made.add_column(column, overflow="fold", no_wrap=place == 0)  # the first one is the id, to be copied whole
    for row in rows:
        made.add_row(*(cell(value) for value in row))
    return made


def pairs(title: str | None, facts: Mapping[str, Any]) -> Table:
    """Two columns: name and value; empty values are left out."""
    made = Table(title=title, title_justify="left", title_style="bold", show_header=False, box=None, pad_edge=False)
    made.add_column(style="dim")
    made.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in (None, "", [], {}):
            made.add_row(name, cell(value))
    return made


def cell(value: Any) -> str:
    """A value as a person reads it: money with its currency, moments without fractions, lists with commas."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        if {"amount", "currency"} <= value.keys():
            return money(value)
        return escape(", ".join(f"{name} {cell(inner)}" for name, inner in value.items()))
    if isinstance(value, list | tuple):
        return ", ".join(cell(inner) for inner in value)
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, str) and _MOMENT.match(value):
        return cell(datetime.fromisoformat(value))
    return escape(str(value))


def money(value: Mapping[str, Any] | None) -> str:
    """{"amount": "12500.00", "currency": "KES"} as KES 12,500.00."""
    if not value:
        return "–"
    whole, dot, cents = str(value["amount"]).partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{value['currency']} {sign}{int(digits):,}{dot}{cents}"


def stage_style(stage: str) -> str:
    """The colour of a saga's stage: red waits for a person or went wrong, yellow waits for somebody or something else."""
    return {
        "completed": "green", "in_review": "red", "post_review": "red", "waiting_funds": "yellow",
        "waiting_limit": "yellow", "waiting_date": "yellow", "refused": "yellow", "failed": "red", "withdrawn": "dim",
        "unallocated": "red",
        "approval": "red", "waiting_account": "red", "waiting_money": "yellow", "awaiting_code": "yellow",
        "returning": "yellow", "returned": "yellow", "expired": "yellow", "merged": "dim",
    }.get(stage, "cyan")  # fmt: skip


def tinted(stage: str) -> str:
    return f"[{stage_style(stage)}]{escape(stage)}[/]"
