"""The checks behind `test_house_rules.py`: each takes source text and names what breaks the rule, with its line."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

# In pieces, so that this file does not hold what it forbids.
_REGISTRY_HOSTS = (
    ".".join(("pypi", "org")),
    ".".join(("python" + "hosted", "org")),
    ".".join(("npmjs", "org")),
    ".".join(("npmjs", "com")),
    ".".join(("crates", "io")),
    ".".join(("rubygems", "org")),
    ".".join(("proxy", "golang", "org")),
    ".".join(("anaconda", "org")),
)
# A directory of a developer's machine at the start of a path; a URL's path or a relative path is something else.
_MACHINE_PATH = re.compile(
    r"(?<![\w.\-/:}])/(?:" + "|".join(("wo" + "rk", "ro" + "ot", "ho" + "me", "Us" + "ers")) + ")/"
)


def packages() -> list[str]:
    """The top-level packages that the wheel holds, by pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named: list[str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return named


def sources(*folders: str) -> list[Path]:
    """The Python files under these folders; a folder that does not exist has none."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def repository_files() -> list[Path]:
    """What git tracks or would track. Raises CalledProcessError outside a checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def text_of(path: Path) -> str | None:
    """The file's text, or None for a binary file."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def foreign_places(text: str) -> Iterator[str]:
    """Package registries and paths of a machine that the text names."""
    for number, line in enumerate(text.splitlines(), 1):
        lowered = line.lower()
        for host in _REGISTRY_HOSTS:
            if host in lowered:
                yield f"{number}: {host}"
        if found := _MACHINE_PATH.search(line):
            yield f"{number}: {found.group()}"


def imports_of(source: str, package: str) -> Iterator[str]:
    """Imports of `package` or of anything inside it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        else:
            continue
        for name in names:
            if name == package or name.startswith(f"{package}."):
                yield f"{node.lineno}: {name}"


def floats_made(source: str) -> Iterator[str]:
    """Calls of `float(…)`, and `float` handed over as a converter (`parse_float=float`, `map(float, …)`).

    A type hint and `isinstance(x, float)` make no float and are left alone.
    """
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = _last_name(node.func)
        if called == "float":
            yield f"{node.lineno}: float(…)"
        elif called not in ("isinstance", "issubclass", "cast"):
            for given in (*node.args, *(keyword.value for keyword in node.keywords)):
                if isinstance(given, ast.Name) and given.id == "float":
                    yield f"{node.lineno}: float handed to {called}"


def times_in_numbers(source: str) -> Iterator[str]:
    """`timedelta(…)`, a number given to a `…timeout`, `…interval` or `…delay` argument, and `sleep(<number>)`."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = _last_name(node.func)
        if called == "timedelta":
            yield f"{node.lineno}: timedelta(…)"
        if called == "sleep" and node.args and _is_number(node.args[0]):
            yield f"{node.lineno}: sleep(<number>)"
        for keyword in node.keywords:
            if keyword.arg and keyword.arg.endswith(("timeout", "interval", "delay")) and _is_number(keyword.value):
                yield f"{node.lineno}: {keyword.arg}=<number>"


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool)
