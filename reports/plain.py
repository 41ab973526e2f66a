"""A report as plain text (for emails) and a table of it as CSV."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from core import csv_files
from core.money import Money
from core.texts import clean
from reports.shapes import Cell, Report, Table

_LONGEST_CELL: Final = 200
_ROWS_IN_TEXT: Final = 40


def shown(cell: Cell, timezone: str) -> str:
    """As people read it: money with its currency, times of the report's zone."""
    if cell is None:
        return "-"
    if isinstance(cell, Money):
        return str(cell)
    if isinstance(cell, datetime):
        return cell.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M")
    return f"{cell:,}" if isinstance(cell, int) else clean(cell, _LONGEST_CELL)


def as_csv(table: Table) -> str:
    """For spreadsheets: an amount is a number in a column of its own, its currency another; times are UTC."""
    money = [_is_money(table, place) for place in range(len(table.columns))]
    names: list[str] = []
    for column, is_money in zip(table.columns, money, strict=True):
        names += [column.name, f"{column.name}_currency"] if is_money else [column.name]
    return csv_files.write(names, (list(_csv_cells(row, money)) for row in table.rows))


def as_text(report: Report) -> str:
    """Every table that has rows, one fact after the other: it is read on phones."""
    zone = report.period.timezone
    lines = [report.title, report.about, f"Read at {shown(report.as_of, zone)}", ""]
    for table in report.tables:
        if not table.rows:
            continue
        lines += [table.title.upper(), table.about]
        for row in table.rows[:_ROWS_IN_TEXT]:
            facts = [
                f"{column.title.lower()} {shown(cell, zone)}" if column.right else shown(cell, zone)
                for column, cell in zip(table.columns, row, strict=True)
                if cell is not None
            ]
            lines.append(f"- {', '.join(facts)}")
        if len(table.rows) > _ROWS_IN_TEXT:
            lines.append(f"- and {len(table.rows) - _ROWS_IN_TEXT} more")
        lines.append("")
    return "\n".join(lines if any(table.rows for table in report.tables) else [*lines, "Nothing happened."])


def _is_money(table: Table, place: int) -> bool:
    return any(isinstance(row[place], Money) for row in table.rows)


def _csv_cells(row: tuple[Cell, ...], money: list[bool]) -> Iterator[str | int | None]:
    for cell, is_money in zip(row, money, strict=True):
        if isinstance(cell, Money):
            yield cell.amount
            yield cell.currency
        elif is_money:
            yield None
            yield None
        elif isinstance(cell, datetime):
            yield cell.isoformat()
        else:
            yield cell
