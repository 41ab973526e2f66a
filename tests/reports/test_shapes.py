"""A report says the same in every form, whatever strangers wrote into it."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from core.errors import InvalidRequest
from core.money import Money
from reports.pdf import MOST_ROWS, as_pdf
from reports.plain import as_csv, as_text
from reports.shapes import Column, Period, Report, Table

DAY = Period(date(2026, 11, 21), date(2026, 11, 21), "Africa/Nairobi")
HOSTILE = '=HYPERLINK("http://x")\x00\x1b[31m\r\n‮Wanjirũ🦊ይ\ud800'


def report(*rows: tuple[str, int, Money | None, datetime | None]) -> Report:
    columns = (Column("who", "Who"), Column("number", "Number", right=True), Column("sum", "Sum", right=True),
               Column("at", "At"))  # fmt: skip
    table = Table("people", "People", "Who did what.", columns, list(rows))
    return Report("daily", "Daily summary", DAY, None, None, datetime(2026, 11, 22, 4, tzinfo=UTC), (table,))


FULL = report(
    ("Amina", 1200, Money(125_050, "KES"), datetime(2026, 11, 21, 6, 14, tzinfo=UTC)), ("Juma", 3, None, None)
)


@pytest.mark.parametrize(
    ("zone", "first", "last", "since", "until"),
    [
        ("Africa/Nairobi", "2026-11-21", "2026-11-21", "2026-11-20T21:00:00+00:00", "2026-11-21T21:00:00+00:00"),
        ("UTC", "2026-12-31", "2027-01-01", "2026-12-31T00:00:00+00:00", "2027-01-02T00:00:00+00:00"),
        # Summer time begins and ends: days of 23 and 25 hours.
        ("Europe/Berlin", "2026-03-29", "2026-03-29", "2026-03-28T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),
        ("Europe/Berlin", "2026-10-25", "2026-10-25", "2026-10-24T22:00:00+00:00", "2026-10-25T23:00:00+00:00"),
    ],
)
def test_a_day_is_a_day_where_the_partner_is(zone: str, first: str, last: str, since: str, until: str) -> None:
    period = Period(date.fromisoformat(first), date.fromisoformat(last), zone)
    assert (period.since.isoformat(), period.until.isoformat()) == (since, until)


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [("2026-11-22", "2026-11-21", "period_empty"), ("2025-11-20", "2026-11-21", "period_too_long")],
)
def test_a_period_has_a_beginning_and_an_end_that_is_not_too_far(first: str, last: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Period(date.fromisoformat(first), date.fromisoformat(last), "UTC")
    assert refused.value.code == code
    assert Period(date(2025, 11, 21), date(2026, 11, 21), "UTC").since.year == 2025


def test_a_table_is_found_by_name_and_the_first_without_one() -> None:
    assert FULL.table(None) is FULL.table("people")
    with pytest.raises(InvalidRequest) as refused:
        FULL.table("lions")
    assert refused.value.code == "unknown_table"


def test_csv_splits_money_into_amount_and_currency() -> None:
    assert list(csv.reader(io.StringIO(as_csv(FULL.table(None))))) == [
        ["who", "number", "sum", "sum_currency", "at"],
        ["Amina", "1200", "1250.50", "KES", "2026-11-21T06:14:00+00:00"],
        ["Juma", "3", "", "", ""],
    ]


@pytest.mark.parametrize("begin", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_of_a_csv_file_is_a_formula(begin: str) -> None:
    (_, row) = csv.reader(io.StringIO(as_csv(report((begin, 1, None, None)).table(None)), newline=""))
    assert not row[0].lstrip("\t\r\n ").startswith(("=", "+", "-", "@"))


def test_text_shows_local_times_and_grouped_amounts() -> None:
    text = as_text(FULL)
    assert "All partners, 2026-11-21 (Africa/Nairobi)" in text
    assert "- Amina, number 1,200, sum KES 1,250.50, 2026-11-21 09:14" in text
    assert "- Juma, number 3\n" in text
    assert "Nothing happened." in as_text(report())
    many = report(*((f"p{number}", number, None, None) for number in range(100)))
    assert "- and 60 more" in as_text(many)


def test_text_lets_no_stranger_write_a_line_of_its_own() -> None:
    text = as_text(report((HOSTILE, 1, None, None)))
    (line,) = [line for line in text.split("\n") if "Wanjir" in line]
    assert line.startswith("- ")
    assert not [char for char in text if ord(char) < 32 and char != "\n"]
    assert "‮" not in text


def test_the_same_report_is_the_same_pdf_byte_for_byte() -> None:
    first = as_pdf(FULL)
    assert first.startswith(b"%PDF-")
    assert as_pdf(FULL) == first
    assert as_pdf(replace(FULL, as_of=datetime(2026, 11, 22, 5, tzinfo=UTC))) != first
    assert as_pdf(report(("Amina", 1201, None, None))) != first


def test_a_pdf_takes_hostile_and_long_text_and_many_rows() -> None:
    long = [("Wanjiru " * 200 + HOSTILE, number, Money(10**12, "KES"), None) for number in range(60)]
    assert as_pdf(report(*long)).count(b"/Type /Page\n") >= 3
    assert as_pdf(report()).startswith(b"%PDF-")


def test_a_pdf_has_no_more_rows_than_people_read() -> None:
    rows = [("Amina", number, None, None) for number in range(MOST_ROWS)]
    whole, longer = as_pdf(report(*rows)), as_pdf(report(*rows, *rows))
    assert whole.count(b"/Type /Page\n") <= longer.count(b"/Type /Page\n") <= whole.count(b"/Type /Page\n") + 1
