"""`kivuko report`: on the screen, as JSON, into files."""

import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Answering, Run
from tests.cli.test_terminal import HOSTILE, assert_harmless, example_of

ROW = {"kind": "disbursement", "status": "completed", "number": 1200, "asked": {"amount": "5.00", "currency": "KES"}}


def told(**more: Any) -> dict[str, Any]:
    example = example_of("/api/v1/reports/daily")
    columns = [{"name": name, "title": name.capitalize()} for name in ROW]
    tables = [
        {"name": "asked", "title": "Payments asked for", "about": "x", "columns": columns, "rows": [{**ROW, **more}]},
        {"name": "empty", "title": "Nothing here", "about": "x", "columns": columns, "rows": []},
    ]
    return {**example, "tables": tables}


def test_a_report_is_shown_table_by_table(run: Run, answering: Answering) -> None:
    answering.will(200, told())
    done = run("report", "daily", "--date", "2026-11-21")
    assert done.exit_code == 0, done.output
    assert "Payments asked for" in done.stdout
    assert "KES 5.00" in done.stdout
    assert "Nothing here" not in done.stdout
    assert answering.asked[0][:2] == ("GET", "/api/v1/reports/daily?date=2026-11-21")


def test_what_strangers_wrote_steers_no_terminal(run: Run, answering: Answering) -> None:
    answering.will(200, {**told(status=HOSTILE), "partner_name": HOSTILE, "title": HOSTILE})
    assert_harmless(run("report", "daily").stdout)


def test_programs_get_it_whole(run: Run, answering: Answering) -> None:
    answering.will(200, told())
    assert json.loads(run("report", "daily", "--json").stdout)["tables"][0]["rows"] == [ROW]


def test_files_are_written_as_they_came(run: Run, answering: Answering, tmp_path: Path) -> None:
    answering.will(200, "kind,number\r\nx,1\r\n")
    answering.will(200, "%PDF-1.3")
    done = run("report", "sms", "--from", "2026-11-01", "--to", "2026-11-02", "--csv", "x.csv", "--pdf", "x.pdf")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "x.csv").read_bytes() == b'"kind,number\\r\\nx,1\\r\\n"'  # the test's API answers JSON
    assert (tmp_path / "x.pdf").read_bytes() == b'"%PDF-1.3"'
    asked = [path for _, path, *_ in answering.asked]
    assert all("from_date=2026-11-01&to_date=2026-11-02" in path for path in asked)
    assert ["format=csv" in asked[0], "format=pdf" in asked[1]] == [True, True]


def test_a_kind_that_there_is_not_is_refused_here(run: Run, answering: Answering) -> None:
    assert run("report", "../keys").exit_code == 2
    assert answering.asked == []


def test_a_file_that_cannot_be_written_is_told(run: Run, answering: Answering) -> None:
    answering.will(200, "x")
    done = run("report", "daily", "--pdf", "no/such/folder.pdf")
    assert done.exit_code == 1
    assert "cannot be written" in done.output
