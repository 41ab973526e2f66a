"""A report as PDF. The same report gives the same bytes: nothing in it is of the moment or the machine that made it."""

from pathlib import Path
from typing import Final

from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace

from reports.plain import shown
from reports.shapes import Report, Table

# DejaVu: Latin with all accents of Africa's languages, Greek, Cyrillic, Arabic. Its licence lies beside it.
_FONT: Final = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
_NAME: Final = "DejaVu"
_SHADE: Final = (236, 239, 243)
_MUTED: Final = 110
# Two milliseconds each: who wants more of them wants a spreadsheet.
MOST_ROWS: Final = 500


class _Page(FPDF):
    """A4 across, with the report's title at the foot of each page."""

    def __init__(self, report: Report) -> None:
        super().__init__(orientation="landscape", format="A4")
        self._foot = f"{report.title}, {report.about}"
        self.add_font(_NAME, fname=_FONT)
        self.set_creation_date(report.as_of)
        self.set_title(f"{report.title}, {report.about}")
        self.set_producer("Kivuko")
        self.set_auto_page_break(True, margin=15)

    def footer(self) -> None:
        self.set_y(-12)
        self.set_font(_NAME, size=7)
        self.set_text_color(_MUTED)
        self.cell(0, 5, self._foot)
        self.set_x(self.l_margin)
        self.cell(0, 5, f"{self.page_no()}/{{nb}}", align="R")
        self.set_text_color(0)


def as_pdf(report: Report) -> bytes:
    """Takes processor time, a third of a second for a page of rows: not for an event loop."""
    page = _Page(report)
    page.add_page()
    page.set_font(_NAME, size=16)
    page.cell(0, 9, report.title, new_x="LMARGIN", new_y="NEXT")
    page.set_font(_NAME, size=9)
    page.set_text_color(_MUTED)
    page.cell(0, 5, report.about, new_x="LMARGIN", new_y="NEXT")
    page.cell(0, 5, f"Read at {shown(report.as_of, report.period.timezone)}", new_x="LMARGIN", new_y="NEXT")
    page.set_text_color(0)
    for table in report.tables:
        _write(page, table, report.period.timezone)
    return bytes(page.output())


def _write(page: FPDF, table: Table, timezone: str) -> None:
    page.ln(5)
    page.set_font(_NAME, size=11)
    page.cell(0, 6, table.title, new_x="LMARGIN", new_y="NEXT")
    page.set_font(_NAME, size=8)
    page.set_text_color(_MUTED)
    page.cell(0, 5, table.about if table.rows else f"{table.about} There is nothing.", new_x="LMARGIN", new_y="NEXT")
    page.set_text_color(0)
    if not table.rows:
        return
    head = FontFace(emphasis="", fill_color=_SHADE)
    with page.table(
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        headings_style=head,
        line_height=5,
        text_align=["RIGHT" if column.right else "LEFT" for column in table.columns],
        col_widths=_widths(table, timezone),
    ) as drawn:
        drawn.row([column.title for column in table.columns])
        for row in table.rows[:MOST_ROWS]:
            drawn.row([shown(cell, timezone) for cell in row])
    if len(table.rows) > MOST_ROWS:
        page.cell(0, 6, f"and {len(table.rows) - MOST_ROWS} more rows, which the CSV file holds")


def _widths(table: Table, timezone: str) -> tuple[int, ...]:
    """In proportion to the longest text of each column, within bounds: a sentence is folded, an amount is not."""
    longest = [len(column.title) for column in table.columns]
    for row in table.rows[:MOST_ROWS]:
        longest = [max(most, len(shown(cell, timezone))) for most, cell in zip(longest, row, strict=True)]
    return tuple(min(max(most, 6), 45) + 2 for most in longest)
