"""The page on security names tests that there are, every kind of claim and every way in."""

import ast
import re

from tests.architecture import house
from tests.support.openapi import document

PAGE = (house.ROOT / "docs" / "SECURITY.md").read_text(encoding="utf-8")
_TEST = re.compile(r"`([a-z_/]+/test_[a-z0-9_]+\.py)(?:::(test_[a-z0-9_]+))?`")


def test_every_test_that_the_page_names_is_there() -> None:
    named = _TEST.findall(PAGE)
    assert len(named) > 30
    missing = []
    for file, test in named:
        path = house.ROOT / "tests" / file
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.parse("")
        there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        if not path.exists() or (test and test not in there):
            missing.append(f"{file}::{test}")
    assert missing == []


def test_each_row_of_evidence_names_what_shows_its_guard() -> None:
    table = PAGE.partition("## Evidence")[2].partition("### Connections")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 15
    assert [row[:60] for row in rows if not _TEST.search(row)] == []
    assert [row[:60] for row in rows if row.count(" | ") != 5] == []


def test_every_way_in_without_a_key_is_on_the_page() -> None:
    """A new address at which somebody tells us something is new evidence."""
    known = {
        "/cb/hooks/{secret}/": "a Fineract hook",
        "/cb/in/{secret}/check": "a C2B validation question",
        "/cb/in/{secret}/confirm": "a C2B confirmation",
        "/cb/bank/{secret}/": "a bank's push (credit)",
        "/cb/sms/{report_secret}/africastalking": "a delivery report",
        "/cb/{route_hex}/{mac_hex}/out": "M-Pesa's result or status callback",
        "/cb/{route_hex}/{mac_hex}/out-late": "M-Pesa's result or status callback",
        "/cb/{route_hex}/{mac_hex}/ask": "M-Pesa's result or status callback",
        "/cb/{route_hex}/{mac_hex}/in": "a prompt's callback",
        "/cb/{route_hex}/{mac_hex}/level": "M-Pesa's balance callback",
    }
    ways = {path for path, methods in document()["paths"].items() if path.startswith("/cb/") and "post" in methods}
    assert ways == set(known)
    for evidence in known.values():
        assert f"| {evidence}" in PAGE, evidence
