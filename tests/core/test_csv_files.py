"""CSV files of people: read strictly, every mistake named by its line; written without formulas."""

import csv
import io
import re

import pytest

from core import csv_files, desk_files
from core.csv_files import BadFile, harmless, read_list, read_table

TWO = ("name", "amount")


def mistakes(raw: bytes, **more: tuple[str, ...]) -> list[tuple[str, str]]:
    with pytest.raises(BadFile) as refused:
        read_table(raw, TWO, at_most=3, **more)
    return [(one.field, one.rule) for one in refused.value.mistakes]


def test_columns_come_in_any_order_with_any_case_and_a_mark_before_them() -> None:
    lines = read_table("\ufeffAmount, NAME\r\n5,Amina\r\n\r\n6,Otieno\r\n".encode(), TWO, at_most=3)
    assert [(line.number, line.cells) for line in lines] == [
        (2, {"name": "Amina", "amount": "5"}),
        (4, {"name": "Otieno", "amount": "6"}),
    ]


def test_a_record_of_several_lines_is_named_by_its_first() -> None:
    lines = read_table(b'name,amount\n"a\nb",1\nc,2\n', TWO, at_most=3)
    assert [line.number for line in lines] == [2, 4]


@pytest.mark.parametrize(
    ("raw", "field", "rule"),
    [
        (b"", "line 1.name", "missing_column"),
        (b"name;amount\na;1\n", "line 1", "unknown_column"),
        (b"name,amount,why\na,1,x\n", "line 1", "unknown_column"),
        (b"name,amount,name\na,1,b\n", "line 1.name", "repeated"),
        (b"name,amount\n", "line 1", "no_rows"),
        (b"name,amount\na,1\nb\n", "line 3", "wrong_cells"),
        (b"name,amount\na,1\nb,2,3\n", "line 3", "wrong_cells"),
        (b'name,amount\na,1\n"b,2\n', "line 3", "not_csv"),
        (b'name,amount\n"a"x,1\n', "line 2", "not_csv"),
        (b"name,amount\na,1\n\xff,2\n", "line 3", "not_utf8"),
        (b"name,amount\na,\x00\n", "line 2", "not_csv"),
        (b"name,amount\na,1\nb,2\nc,3\nd,4\n", "line 5", "too_many_rows"),
        (b"name,amount\na," + b"9" * 200_000 + b"\n", "line 2", "not_csv"),
    ],
)
def test_a_file_that_cannot_be_read_names_the_line_and_the_rule(raw: bytes, field: str, rule: str) -> None:
    assert (field, rule) in mistakes(raw)


def test_every_bad_line_is_named_not_only_the_first() -> None:
    assert mistakes(b"name,amount\na\nb,1\nc\n") == [("line 2", "wrong_cells"), ("line 4", "wrong_cells")]


def test_a_list_may_have_a_header_and_needs_none() -> None:
    for raw in (b"reference\nab1\nab2\n", b"ab1\nab2\n"):
        found = read_list(raw, "reference", titles={"reference"}, at_most=3)
        assert [line.cells["reference"] for line in found] == ["ab1", "ab2"]
    with pytest.raises(BadFile) as refused:
        read_list(b"ab1\nab2,x\n", "reference", titles={"reference"}, at_most=3)
    assert refused.value.extra["field"] == "line 2"


@pytest.mark.parametrize("cell", ["=1+1", "+254711", "-5", "@SUM(A1)"])
def test_no_cell_is_run_as_a_formula(cell: str) -> None:
    text = csv_files.write(("a", "b"), [(cell, None)])
    assert list(csv.reader(io.StringIO(text, newline="")))[1] == [f"'{cell}", ""]


@pytest.mark.parametrize(
    "cell",
    ["=1+1", " =1+1", "\u00a0=1+1", "\u3000=1+1", "\ufeff=1+1", "\u200b=1+1", "\u202e=1+1", "＝1+1", "＋1", "－1",
     "＠SUM(A1)", "\t=1", "\r=1", "\n=1", "\r\n =1", "|calc", "%calc", "｜calc", "％calc",
     "\u22121", "@SUM(A1)", "+254712000345", "-1", "x;=1+1",
     "x\t=1+1", "x\n=1+1", "x; ＝cmd|'/c calc'!A1", "\v=1", "x\u2028=1"],
)  # fmt: skip
def test_every_spelling_of_a_formula_gets_an_apostrophe_before_it(cell: str) -> None:
    made = harmless(cell)
    assert made != cell
    for part in re.split(r"[;\t\r\n\v\u2028]", made):
        bare = part.strip(" \u00a0\u3000\ufeff\u200b\u202e")
        assert not bare or bare[0] not in "=+-@|%＝＋－＠｜％\u2212"


@pytest.mark.parametrize(
    "cell", ["KES 5", "pay_1-a1", "a=b", "", "12.50", "one, two", "10 % off", "a|b", "Amina; Otieno", "line\nline"]
)
def test_other_cells_stay_as_they_are(cell: str) -> None:
    assert harmless(cell) == cell


# ------------------------------------------------------------------------------------------------- the desk's two files

HEADER = "reference,decision,receipt,evidence\n"


@pytest.mark.parametrize(
    ("row", "field", "rule"),
    [
        ("AG_1,maybe,,seen it", "line 2.decision", "unknown_decision"),
        ("AG_1,Paid,UKL4X7,seen it", "line 2.decision", "unknown_decision"),
        ("AG_1,paid,,seen it", "line 2.receipt", "receipt_missing"),
        ("AG_1,paid,U K,seen it", "line 2.receipt", "bad_receipt"),
        ("AG_1,not_paid,UKL4X7,seen it", "line 2.receipt", "receipt_not_for_this"),
        ("AG_1,not_paid,,no", "line 2.evidence", "bad_evidence"),
        ("A B,not_paid,,seen it", "line 2.reference", "bad_reference"),
        (",not_paid,,seen it", "line 2.reference", "bad_reference"),
        ("AG_1,not_paid,,seen it\nAG_1,paid,UKL4X7,seen it", "line 3.reference", "repeated"),
    ],
)
def test_a_decision_that_would_have_to_be_guessed_keeps_the_file_out(row: str, field: str, rule: str) -> None:
    with pytest.raises(BadFile) as refused:
        desk_files.decisions((HEADER + row + "\n").encode())
    assert (field, rule) in [(one.field, one.rule) for one in refused.value.mistakes]


def test_a_downloaded_list_is_taken_back_as_it_is_filled_in() -> None:
    columns = (*desk_files.DECISION_COLUMNS, *desk_files.FACT_COLUMNS)
    facts = [f"={number}" for number, _ in enumerate(desk_files.FACT_COLUMNS)]
    text = csv_files.write(columns, [("AG_1", "paid", "UKL4X7QW2D", "portal, line 14", *facts)])
    (row,) = desk_files.decisions(text.encode())
    assert (row.line, row.reference, row.decision, row.receipt) == (2, "AG_1", "paid", "UKL4X7QW2D")


@pytest.mark.parametrize("header", ["", "reference\n", "ConversationID\n", "Originator Conversation ID\n"])
def test_references_are_read_with_and_without_a_header(header: str) -> None:
    lines = desk_files.references(f"{header}AG_1\n29112-34801843-1\n".encode())
    assert [line.cells["reference"] for line in lines] == ["AG_1", "29112-34801843-1"]


def test_a_file_of_references_has_at_most_a_thousand() -> None:
    assert len(desk_files.references(b"AG_1\n" * 1000)) == 1000
    with pytest.raises(BadFile) as refused:
        desk_files.references(b"AG_1\n" * 1001)
    assert (refused.value.code, refused.value.extra["field"]) == ("too_many_rows", "line 1001")
