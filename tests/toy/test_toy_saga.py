"""A saga is its own files, one entry in the kinds and one in the rails: a toy saga on a toy rail, laid over a copy of the
house of which nothing else is touched, goes through everything that a saga goes through.

`overlay/` holds the toy: the smallest honest saga with money in and out (docs/adding-a-saga.md).
"""

import difflib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture import house
from tests.toy.laying import ENTRIES, files_of_the_house, files_of_the_toy, lay

pytestmark = pytest.mark.slow

_SECONDS = 600  # on a machine that does much else; alone it takes a minute


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    lay(folder)
    return folder


def run(laid: Path, *words: str) -> None:
    """A command as a developer gives it in that folder: whatever it imports is from there."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        words, cwd=laid, env={**surroundings, "PYTHONPATH": str(laid)}, capture_output=True, text=True, timeout=_SECONDS
    )
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-4000:]}"


def test_nothing_of_the_house_is_touched_but_two_lists(laid: Path) -> None:
    found = (path for path in laid.rglob("*") if path.is_file() and not {"__pycache__", ".mypy_cache"} & {*path.parts})
    there = sorted(path.relative_to(laid).as_posix() for path in found)
    assert there == sorted([*files_of_the_house(), *files_of_the_toy()])
    changed = [name for name in files_of_the_house() if (laid / name).read_bytes() != (house.ROOT / name).read_bytes()]
    assert changed == sorted(ENTRIES)
    for name, (_, entry) in ENTRIES.items():
        before, after = ((root / name).read_text(encoding="utf-8").splitlines() for root in (house.ROOT, laid))
        told = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
        assert told == [f"+ {line}" for line in entry.splitlines()]


def test_the_toy_passes_its_tests_and_the_houses_test_of_every_kind(laid: Path) -> None:
    tests = ("tests/flows/toys", "tests/api/toys", "tests/architecture/test_saga_kinds.py")
    short = ("-p", "no:cacheprovider", "--tb=short", "--show-capture=no")
    run(laid, sys.executable, "-m", "pytest", "-n", "2", "--dist", "worksteal", *short, *tests)


def test_the_toys_migration_makes_what_its_tables_say(laid: Path) -> None:
    run(laid, sys.executable, "-m", "cli.main", "db", "check", "--scratch")


def test_the_toy_keeps_to_the_layers(laid: Path) -> None:
    run(laid, str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo")


def test_the_toys_types_are_right_where_it_is_laid(laid: Path) -> None:
    """What the checkout's last check knows of the house is taken over: alone, it would take as long as that."""
    known, checked = house.ROOT / ".mypy_cache", [name for name in files_of_the_toy() if name.endswith(".py")]
    if known.is_dir():
        shutil.copytree(known, laid / ".mypy_cache")
    run(laid, sys.executable, "-m", "mypy", *(name for name in checked if not name.startswith("migrations/")))
