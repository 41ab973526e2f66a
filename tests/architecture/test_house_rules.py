"""The house rules that a machine can check. Each checker is first shown to find what it looks for."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture import house

MAX_LINES = 400

# Path → why a float may be made there. Keep it short; an entry that is no longer needed fails below.
FLOATS_ALLOWED: dict[str, str] = {}


def broken(paths: list[Path], check: Callable[[str], Iterator[str]]) -> dict[str, list[str]]:
    """What `check` finds, by path from the repository's root."""
    found = {str(path.relative_to(house.ROOT)): list(check(path.read_text(encoding="utf-8"))) for path in paths}
    return {path: lines for path, lines in found.items() if lines}


def money_paths() -> list[Path]:
    wires = sorted((house.ROOT / "providers").glob("*/wire.py"))
    return house.sources("ledger", "workflows", "activities") + wires


# ------------------------------------------------------------------------------------------------------------- files


def test_init_files_are_empty() -> None:
    filled = [
        str(path.relative_to(house.ROOT))
        for path in house.sources(*house.packages(), "tests")
        if path.name == "__init__.py" and path.read_bytes()
    ]
    assert filled == []


def test_no_file_of_a_package_is_longer_than_the_limit() -> None:
    long = {
        str(path.relative_to(house.ROOT)): lines
        for path in house.sources(*house.packages())
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert long == {}


def test_no_file_names_a_package_registry_or_a_path_of_a_machine() -> None:
    found = {
        str(path.relative_to(house.ROOT)): places
        for path in house.repository_files()
        if (text := house.text_of(path)) is not None and (places := list(house.foreign_places(text)))
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "see https://" + "py" + "pi.org/project/x",
        "index: files.python" + "hosted.org",
        "open('/wo" + "rk/main/x')",
        "cd /ro" + "ot/x",
        'path = "/ho' + 'me/amina/kivuko"',
    ],
)
def test_the_search_for_foreign_places_finds_them(line: str) -> None:
    assert list(house.foreign_places(line))


@pytest.mark.parametrize(
    "line", ["GET /api/v1/payments", "src/wo" + "rk/x", "https://example.org/ho" + "me/x", "pip install kivuko"]
)
def test_the_search_for_foreign_places_leaves_others_alone(line: str) -> None:
    assert not list(house.foreign_places(line))


# ----------------------------------------------------------------------------------------------------------- imports


def test_the_import_contracts_hold() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()",
         "--no-cache", "--no-logo"],
        cwd=house.ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


def test_only_the_shared_client_of_the_providers_imports_httpx() -> None:
    shared = {house.ROOT / "providers" / name for name in ("http.py", "bounded.py", "dialling.py")}
    others = [path for path in house.sources("providers") if path not in shared]
    assert broken(others, lambda source: house.imports_of(source, "httpx")) == {}


@pytest.mark.parametrize(
    "source", ["import httpx", "import httpx as h", "from httpx import get", "import httpx._client"]
)
def test_the_search_for_imports_finds_every_spelling(source: str) -> None:
    assert list(house.imports_of(source, "httpx"))


@pytest.mark.parametrize("source", ["import httpx_sse", "from .httpx import x", "httpx = 1", "'import httpx'"])
def test_the_search_for_imports_leaves_others_alone(source: str) -> None:
    assert not list(house.imports_of(source, "httpx"))


# ------------------------------------------------------------------------------------------------------------- money


def test_no_float_is_made_where_money_passes() -> None:
    found = broken(money_paths(), house.floats_made)
    assert {path: lines for path, lines in found.items() if path not in FLOATS_ALLOWED} == {}


def test_every_allowed_float_is_still_there_and_has_a_reason() -> None:
    found = broken(money_paths(), house.floats_made)
    assert [path for path, reason in FLOATS_ALLOWED.items() if path not in found or not reason] == []


@pytest.mark.parametrize(
    "source",
    [
        "x = float('1.5')",
        "import builtins; builtins.float(x)",
        "json.loads(text, parse_float=float)",
        "list(map(float, amounts))",
    ],
)
def test_the_search_for_floats_finds_every_spelling(source: str) -> None:
    assert list(house.floats_made(source))


@pytest.mark.parametrize(
    "source",
    [
        "def wait(seconds: float) -> None: ...",
        "isinstance(x, float)",
        "json.loads(text, parse_float=Decimal)",
        "'float(1)'",
    ],
)
def test_the_search_for_floats_leaves_others_alone(source: str) -> None:
    assert not list(house.floats_made(source))


# --------------------------------------------------------------------------------------------------------- workflows


def test_every_number_of_time_in_a_workflow_is_a_named_policy() -> None:
    policies = house.ROOT / "workflows" / "saga" / "policies.py"
    assert broken([path for path in house.sources("workflows") if path != policies], house.times_in_numbers) == {}


@pytest.mark.parametrize(
    "source",
    [
        "timedelta(seconds=5)",
        "datetime.timedelta(days=1)",
        "workflow.execute_activity(a, start_to_close_timeout=30)",
        "await asyncio.sleep(5)",
        "await workflow.sleep(0.5)",
        "RetryPolicy(initial_interval=1)",
    ],
)
def test_the_search_for_times_finds_every_spelling(source: str) -> None:
    assert list(house.times_in_numbers(source))


@pytest.mark.parametrize(
    "source",
    ["workflow.sleep(policy.pause)", "execute(a, start_to_close_timeout=policy.send)", "retry(maximum_attempts=1)"],
)
def test_the_search_for_times_leaves_others_alone(source: str) -> None:
    assert not list(house.times_in_numbers(source))


# ------------------------------------------------------------------------------------------------- absent is no fault


def test_a_package_that_does_not_exist_yet_has_no_sources() -> None:
    assert house.sources("no_such_package") == []
