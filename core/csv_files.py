"""CSV files that people upload and download: read strictly, with every mistake named by its line; written so that no
spreadsheet runs what a stranger wrote into a cell."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.errors import InvalidRequest

# Enough for a person to mend a file by; the rest repeats itself.
_MOST_MISTAKES: Final = 50
# A spreadsheet runs a cell that begins so: also behind blanks and invisible characters, in full-width spelling, and (in
# older ones) behind a bar or a per cent sign. It may take a semicolon, a tab or a line break for the end of a cell.
_ENDS: Final = r";\t\r\n\v\f\x85\u2028\u2029"
_FORMULA: Final = re.compile(
    rf"(?P<before>^|[{_ENDS}])"
    rf"(?P<formula>(?:[^\S{_ENDS}]|[\ufeff\u200b-\u200f\u2060-\u2064\u202a-\u202e\u00ad])*"
    r"[=+\-@|%\uff1d\uff0b\uff0d\uff20\uff5c\uff05\u2212\ufe62\ufe63\ufe66\ufe6b])"
)
_BLANK_BEGIN: Final = ("\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Line:
    """One record: where it begins in the file (from 1), and its cells by column, without blanks around them."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong where; `column` is None if it is the whole line."""

    line: int
    column: str | None
    rule: str
    detail: str

    @property
    def field(self) -> str:
        return f"line {self.line}" + (f".{self.column}" if self.column else "")


class BadFile(InvalidRequest):
    """A file that is not taken. `mistakes` are in the order of its lines; the first one is this error's own."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        first = mistakes[0]
        super().__init__(first.detail, code=first.rule, field=first.field)
        self.mistakes = tuple(mistakes[:_MOST_MISTAKES])


def read_table(
    raw: bytes, columns: Sequence[str], *, optional: Sequence[str] = (), ignored: Sequence[str] = (), at_most: int
) -> list[Line]:
    """The records of a file whose first line names its columns, in any order. An `optional` column that is missing reads
    as empty; an `ignored` one is not read. Raises BadFile."""
    records = _records(raw)
    at, header = next(records, (1, []))
    names = [name.strip().lower() for name in header]
    known = {*columns, *optional, *ignored}
    mistakes = [
        Mistake(at, None, "unknown_column", f"There is no column {name[:40]!r} here; it takes {', '.join(columns)}.")
        for name in names
        if name not in known
    ]
    mistakes += [Mistake(at, name, "missing_column", f"The column {name} is missing.") for name in columns
                 if name not in names]  # fmt: skip
    mistakes += [Mistake(at, name, "repeated", f"The column {name} is there twice.") for name in sorted(set(names))
                 if names.count(name) > 1]  # fmt: skip
    if mistakes:
        raise BadFile(mistakes)
    found = []
    for number, record in records:
        if len(record) != len(names):
            mistakes.append(
                Mistake(number, None, "wrong_cells", f"The line has {len(record)} cells, the header {len(names)}.")
            )
            continue
        cells = dict.fromkeys(optional, "") | dict(zip(names, (cell.strip() for cell in record), strict=True))
        found.append(Line(number, {name: cells[name] for name in (*columns, *optional)}))
    return _counted(found, mistakes, at_most)


def read_list(raw: bytes, column: str, *, titles: Iterable[str], at_most: int) -> list[Line]:
    """The records of a file of one column; a first line that is one of its `titles` is a header. Raises BadFile."""
    found, mistakes = [], []
    for place, (number, record) in enumerate(_records(raw)):
        if len(record) != 1:
            mistakes.append(Mistake(number, None, "wrong_cells", f"The line has {len(record)} cells; give one."))
        elif place or record[0].strip().lower() not in titles:
            found.append(Line(number, {column: record[0].strip()}))
    return _counted(found, mistakes, at_most)


def write(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A file for people's spreadsheets. A cell that would be run as a formula gets an apostrophe before it."""
    return exactly(columns, _harmless_rows(rows))


def lines(rows: Iterable[Sequence[Any]]) -> str:
    """More records of such a file, without its first line."""
    text = io.StringIO()
    csv.writer(text).writerows(_harmless_rows(rows))
    return text.getvalue()


def exactly(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A file for a program: every cell as it is, None as an empty one."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def harmless(cell: str) -> str:
    """The cell, with an apostrophe before whatever a spreadsheet would run."""
    marked = _FORMULA.sub(lambda found: f"{found['before']}'{found['formula']}", cell)
    return f"'{marked}" if marked.startswith(_BLANK_BEGIN) else marked


def _harmless_rows(rows: Iterable[Sequence[Any]]) -> Iterator[list[str | None]]:
    for row in rows:
        yield [None if cell is None else harmless(str(cell)) for cell in row]


def _counted(found: list[Line], mistakes: list[Mistake], at_most: int) -> list[Line]:
    if mistakes:
        raise BadFile(mistakes)
    if not found:
        raise BadFile([Mistake(1, None, "no_rows", "The file has no rows.")])
    if len(found) > at_most:
        raise BadFile([Mistake(found[at_most].number, None, "too_many_rows", f"A file has at most {at_most} rows.")])
    return found


def _records(raw: bytes) -> Iterator[tuple[int, list[str]]]:
    """Each record and the line that it begins at; empty lines are passed over."""
    try:
        text = raw.decode("utf-8-sig")  # spreadsheets put a mark before it
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadFile([Mistake(line, None, "not_utf8", "The file is not UTF-8; save it as “CSV UTF-8”.")]) from None
    if "\x00" in text:
        line = text[: text.index("\x00")].count("\n") + 1
        raise BadFile([Mistake(line, None, "not_csv", "The file holds binary zeros.")])
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        begins = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadFile([Mistake(begins, None, "not_csv", f"The line is not CSV: {error}.")]) from None
        if any(cell.strip() for cell in record):
            yield begins, record
