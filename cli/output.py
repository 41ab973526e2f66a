"""Two ways to say the same: tables and colour for people, JSON for programs (`--json` at every command)."""

import json
import os
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from core.texts import clean, is_unseen

TONES: Final = {"info": "cyan", "good": "green", "warning": "yellow", "bad": "red"}
# For grep and files: wide enough that no cell is folded.
_PIPED_WIDTH: Final = 200
# A cell that is narrower than this is no text any more, wherever it is folded.
_READABLE: Final = 13
_GAP: Final = 2
_LONGEST_IN_LIST: Final = 160
_LONGEST_CELL: Final = 500
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
MARKS: Final = {"info": "•", "good": "✓", "warning": "!", "bad": "✗"}


def console() -> Console:
    """Made anew each time, since tests and pipes swap standard output."""
    made = Console(highlight=False, soft_wrap=True, emoji=False)  # an account may be called funding:bank:KES
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _PIPED_WIDTH
    return made


def _remember(ctx: typer.Context, value: bool) -> bool:
    ctx.meta["kivuko.json"] = value
    return value


AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON.", callback=_remember, is_eager=True)]


def print_json(data: Any) -> None:
    print(as_json_text(data, indent=2))


def as_json_text(data: Any, indent: int | None = None) -> str:
    """JSON that a terminal can show: letters of every script as they are, what steers a terminal or hides as its escape."""
    text = json.dumps(data, indent=indent, ensure_ascii=False, default=str)
    return "".join(char if char == "\n" or not is_unseen(char) else json.dumps(char)[1:-1] for char in text)


def table(
    title: str | None, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, least: Sequence[str] = ()
) -> Table:
    """Fits the terminal: the first column is the id, to be copied whole; of the others, those that find no room are left out,
    first the `least` important in their order, then from the right."""
    cells = [[cell(value, _LONGEST_IN_LIST) for value in row] for row in rows]
    shown, dropped = _that_fit(columns, cells, least)
    width = console().width
    note = textwrap.fill(f"not shown in {width} columns: {', '.join(dropped)} (see --json)", width) if dropped else None
    made = Table(
        title=title and plain(title), title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False,
        caption=note, caption_justify="left", caption_style="dim",
    )  # fmt: skip
    for place in shown:
        made.add_column(columns[place], overflow="fold", no_wrap=place == 0 and len(shown) > 1)
    for row in cells:
        made.add_row(*(row[place] for place in shown))
    return made


def _that_fit(columns: Sequence[str], cells: list[list[str]], least: Sequence[str]) -> tuple[list[int], list[str]]:
    """The places of the columns that are shown, and the names of those that are not."""

    def needs(place: int) -> int:
        widest = max((Text.from_markup(row[place]).cell_len for row in cells), default=0)
        return max(len(columns[place]), widest if place == 0 else min(widest, _READABLE))

    shown = list(range(len(columns)))
    dropped: list[str] = []
    first_to_go = [columns.index(name) for name in least] + [n for n in reversed(shown) if columns[n] not in least]
    for place in first_to_go:
        if sum(needs(n) + _GAP for n in shown) - _GAP <= console().width or place == 0:
            break
        shown.remove(place)
        dropped.append(columns[place])
    return shown, dropped


def pairs(title: str | None, facts: Mapping[str, Any]) -> Table:
    """Two columns: name and value; empty values are left out."""
    made = Table(
        title=title and plain(title),
        title_justify="left",
        title_style="bold",
        show_header=False,
        box=None,
        pad_edge=False,
    )
    made.add_column(style="dim")
    made.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in (None, "", [], {}):
            made.add_row(plain(name), cell(value))
    return made


class Styled(str):
    """Text of ours with rich's markup in it; what strangers wrote inside it went through `plain`."""


def plain(text: object, longest: int = _LONGEST_CELL) -> str:
    """Text from outside as one line that a terminal shows and never obeys: no escapes, no markup, no hidden characters."""
    cleaned = clean(str(text), longest + 1)
    return escape(cleaned if len(cleaned) <= longest else f"{cleaned[: longest - 1]}…")


def cell(value: Any, longest: int = _LONGEST_CELL) -> str:
    """A value as a person reads it: money with its currency, moments without fractions, lists with commas."""
    if isinstance(value, Styled):
        return value
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        if {"amount", "currency"} <= value.keys():
            return money(value)
        return ", ".join(f"{plain(name)} {cell(inner, longest)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(cell(inner, longest) for inner in value)
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, str) and _MOMENT.match(value):
        try:
            return cell(datetime.fromisoformat(value))
        except ValueError:  # a text that only begins as a moment does
            return plain(value, longest)
    return plain(value, longest)


def money(value: Mapping[str, Any] | None) -> Styled:
    """{"amount": "12500.00", "currency": "KES"} as KES 12,500.00."""
    if not value:
        return Styled("–")
    whole, dot, cents = str(value["amount"]).partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    if not (digits.isascii() and digits.isdigit()):
        return Styled(plain(f"{value['currency']} {value['amount']}"))
    return Styled(plain(f"{value['currency']} {sign}{int(digits):,}{dot}{cents}"))


def stage_style(stage: str) -> str:
    """The colour of a saga's stage: red waits for a person or went wrong, yellow waits for somebody or something else."""
    return {
        "completed": "green", "in_review": "red", "post_review": "red", "waiting_funds": "yellow",
        "waiting_limit": "yellow", "waiting_date": "yellow", "refused": "yellow", "failed": "red", "withdrawn": "dim",
        "unallocated": "red",
        "approval": "red", "waiting_account": "red", "waiting_money": "yellow", "awaiting_code": "yellow",
        "returning": "yellow", "returned": "yellow", "expired": "yellow", "merged": "dim",
    }.get(stage, "cyan")  # fmt: skip


def tinted(stage: str) -> Styled:
    return coloured(stage, stage_style(stage))


def coloured(text: object, colour: str) -> Styled:
    return Styled(f"[{colour}]{plain(text)}[/]")
