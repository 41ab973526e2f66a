"""Every code that the code base can give as the reason why something did not happen, read from its own source."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
# Who makes the reasons that a saga may end or wait with. The API refuses requests, which nobody is told of by SMS.
PACKAGES: Final = ("core", "activities", "providers", "workflows", "ledger", "store", "temporal")
# What is refused to whoever asks, at a door or in Temporal's pages: no payment ends or waits for it.
_AT_THE_DOOR: Final = (
    "activities/saga/approvals.py", "activities/saga/decisions.py", "core/id_tokens.py", "core/passwords.py",
    "store/platform/approval", "store/platform/bulk", "store/platform/sign_in", "store/reports/", "store/saga/search.py",
    "temporal/commands.py",
)  # fmt: skip
# Tables of providers' codes that are read as data: the third word of a refusal's rule, the key of a result code.
_RULES: Final = frozenset({"_EVERYWHERE", "_DISBURSAL_RULES", "_PAYMENT_RULES"})
_KEYED: Final = frozenset({"_REFUSALS"})
# Calls whose code is no keyword, and at which place it stands.
_PLACES: Final = {"EndsUnpaid": 1, "fail": 0, "_end": 0}
# What banks say of an instruction that was carried out or is being worked on: the code of a report, and no reason.
_GOOD_NEWS: Final = frozenset({"000", "accepted"})


def produced(packages: tuple[str, ...] = PACKAGES, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Code → the file that makes it; of files whose path begins with one of `without` only the constants are read."""
    sources = {path: _saying(ast.parse(path.read_text(encoding="utf-8"))) for path in _sources(packages)}
    constants = {name: text for nodes in sources.values() for name, text in _constants(nodes)}
    found: dict[str, str] = {}
    for path, nodes in sources.items():
        if str(path.relative_to(ROOT)).startswith(without):
            continue
        for code in set(_codes(nodes, constants)) - _GOOD_NEWS:
            found.setdefault(code, str(path.relative_to(ROOT)))
    return found


def of_payments() -> dict[str, str]:
    """The same of those that a payment can end or wait with."""
    return produced(without=_AT_THE_DOOR)


def _sources(packages: tuple[str, ...]) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def _saying(tree: ast.Module) -> list[ast.AST]:
    """What a code may stand in."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.AnnAssign | ast.Assign | ast.Call)]


def _constants(nodes: list[ast.AST]) -> Iterator[tuple[str, str]]:
    for name, value in _assigned(nodes):
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield name, value.value


def _assigned(nodes: list[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    for node in nodes:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def _codes(nodes: list[ast.AST], constants: dict[str, str]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == "code":
                    yield from _texts(keyword.value, constants)
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            place = _PLACES.get(called)
            if place is not None and len(node.args) > place:
                yield from _texts(node.args[place], constants)
    for name, value in _assigned(nodes):
        if name == "default_code":
            yield from _texts(value, constants)
        elif name in _RULES and isinstance(value, ast.Tuple):
            for rule in value.elts:
                if isinstance(rule, ast.Tuple):
                    yield from _texts(rule.elts[2], constants)
        elif name in _KEYED and isinstance(value, ast.Dict):
            for key in value.keys:
                yield from _texts(key, constants) if key is not None else ()


def _texts(value: ast.expr, constants: dict[str, str]) -> Iterator[str]:
    """What an expression may be, as far as its source says so: a constant, its name, or the arms of a condition."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.Name) and value.id in constants:
        yield constants[value.id]
    elif isinstance(value, ast.IfExp):
        yield from _texts(value.body, constants)
        yield from _texts(value.orelse, constants)
    elif isinstance(value, ast.BoolOp):
        for part in value.values:
            yield from _texts(part, constants)
