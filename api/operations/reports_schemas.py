"""Reports as JSON: tables with named columns, the same that PDF and CSV show."""

from datetime import date, datetime
from typing import Any, Final, Literal, Self

from api.http.values import MoneyOut, Out, example
from core.money import Money
from reports.shapes import Cell, Report, Table

EXAMPLE_CSV: Final = (
    "kind,status,number,asked,asked_currency,moved,moved_currency\r\n"
    "disbursement,completed,42,525000.00,KES,525000.00,KES\r\n"
)
_COLUMN: Final = {"name": "number", "title": "Number"}
_ROW: Final = {
    "kind": "disbursement", "status": "completed", "number": 42, "asked": {"amount": "525000.00", "currency": "KES"},
    "moved": {"amount": "525000.00", "currency": "KES"},
}  # fmt: skip
_TABLE: Final = {
    "name": "asked", "title": "Payments asked for", "about": "Payments that began in the period, as far as they are now.",
    "columns": [_COLUMN], "rows": [_ROW],
}  # fmt: skip


class ColumnOut(Out):
    """`name` is the field of each row, `title` what people read above it."""

    name: str
    title: str


class TableOut(Out):
    """What each table counts is said by `about`. A row has a field for each column: text, a number, money as `amount` and
    `currency`, a time, or null."""

    model_config = example(**_TABLE)

    name: str
    title: str
    about: str
    columns: list[ColumnOut]
    rows: list[dict[str, MoneyOut | datetime | int | str | None]]

    @classmethod
    def of(cls, table: Table) -> Self:
        names = [column.name for column in table.columns]
        rows: list[Any] = [dict(zip(names, map(_cell, row), strict=True)) for row in table.rows]
        columns = [ColumnOut(name=column.name, title=column.title) for column in table.columns]
        return cls(name=table.name, title=table.title, about=table.about, columns=columns, rows=rows)


class ReportOut(Out):
    """Whole days (`first_date` to `last_date`, both included) of `timezone`, of one partner or (null) of all; `as_of` is when
    it was read."""

    model_config = example(
        kind="daily", title="Daily summary", partner_id="prt_01ktv0r5m8e9a7d3c2b4x6y8z0", partner_name="Jaza Sacco",
        first_date="2026-11-21", last_date="2026-11-21", timezone="Africa/Nairobi", as_of="2026-11-22T04:00:00Z",
        tables=[_TABLE],
    )  # fmt: skip

    kind: Literal["daily", "partner", "financial", "sms"]
    title: str
    partner_id: str | None
    partner_name: str | None
    first_date: date
    last_date: date
    timezone: str
    as_of: datetime
    tables: list[TableOut]

    @classmethod
    def of(cls, report: Report) -> Self:
        return cls(
            kind=report.kind,
            title=report.title,
            partner_id=report.partner_id,
            partner_name=report.partner_name,
            first_date=report.period.first,
            last_date=report.period.last,
            timezone=report.period.timezone,
            as_of=report.as_of,
            tables=[TableOut.of(table) for table in report.tables],
        )


def _cell(cell: Cell) -> Any:
    return MoneyOut.of(cell) if isinstance(cell, Money) else cell
