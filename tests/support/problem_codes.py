"""Every code that a problem document of the API can have, read from the source: the reasons of `reason_codes.py`, and what
the API says by other ways."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from core import errors
from tests.support import reason_codes

ROOT: Final = reason_codes.ROOT
PACKAGES: Final = (*reason_codes.PACKAGES, "api", "inbound", "models", "notices", "reports")
# The classes of errors, by the status that `api/http/problems.py` gives each.
STATUS: Final = {
    errors.InvalidRequest: 422, errors.NotFound: 404, errors.Conflict: 409, errors.NotAllowed: 403, errors.LimitExceeded: 422,
    errors.InsufficientFunds: 409, errors.Rejected: 422, errors.Throttled: 429, errors.NotYet: 429, errors.Busy: 503,
    errors.NotReached: 503, errors.Transient: 503, errors.Unknown: 502, errors.NoAnswer: 502, errors.Garbled: 502,
}  # fmt: skip
# Examples of one-time codes, the root's which is of no error, and a state of health.
_NONE: Final = frozenset({"042917", "7KQ2M-9XT4C", "", "ok"})
# Its pages say what was wrong in the person's language, and name no codes.
_CONSOLE: Final = ("api/console/", "core/passwords.py", "core/id_tokens.py", "store/platform/sign_in")


def produced() -> dict[str, str]:
    """Code → the file that makes it."""
    made = reason_codes.produced(PACKAGES, without=_CONSOLE)
    found = {code: path for code, path in made.items() if code not in _NONE}
    for path in _files("api", "temporal", "workflows"):
        for code in _said_otherwise(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(code, str(path.relative_to(ROOT)))
    return found


def statuses() -> Iterator[tuple[str, int, str]]:
    """Code, the status that its error's class has, and where, for every refusal that the API's own code makes."""
    by_name = {kind.__name__: status for kind, status in STATUS.items()}
    for path in _files("api", "store"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in by_name:
                for keyword in node.keywords:
                    if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                        assert isinstance(keyword.value.value, str)
                        yield keyword.value.value, by_name[node.func.id], f"{path.relative_to(ROOT)}:{node.lineno}"


def _files(*packages: str) -> Iterator[Path]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not str(path.relative_to(ROOT)).startswith(_CONSOLE):
                yield path


def _said_otherwise(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            if called == "problem" and len(node.args) > 1:
                yield from _text(node.args[1])
            elif called == "ApplicationError":
                yield from (text for one in node.keywords if one.arg == "type" for text in _text(one.value))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            name = node.target.id if isinstance(node.target, ast.Name) else ""
            if name == "_CODES":  # status → code
                yield from (text for one in node.value.values for text in _text(one))
            elif name == "_VERDICTS":  # what a check found → code, detail
                yield from (
                    text for one in node.value.values if isinstance(one, ast.Tuple) for text in _text(one.elts[0])
                )


def _text(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
