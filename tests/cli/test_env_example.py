"""`.env.example` is complete and true: every setting is in it, with the default that the code has."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from core.settings import Settings
from tests.architecture.house import ROOT

EXAMPLE = ROOT / ".env.example"
_LINE = re.compile(r"^#?([A-Z][A-Z0-9_]+)=(.*)$")


def _assigned() -> dict[str, str]:
    """Variables that are set, not those that are only mentioned behind a `#`."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    return {found[1]: found[2] for line in lines if (found := _LINE.match(line)) and not line.startswith("#")}


def _variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _variables(inner, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}"


def test_the_example_names_every_setting_and_no_other() -> None:
    wanted = set(_variables(Settings, "KIVUKO_"))
    assert {name for name in _assigned() if name.startswith("KIVUKO_")} == wanted


def test_the_example_read_as_it_is_gives_the_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in _assigned():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert Settings(_env_file=EXAMPLE) == Settings(_env_file=None)


def test_a_line_with_another_value_would_be_noticed(tmp_path: Path) -> None:
    changed = EXAMPLE.read_text(encoding="utf-8").replace("KIVUKO_API__PORT=8000", "KIVUKO_API__PORT=8001")
    (tmp_path / "env").write_text(changed, encoding="utf-8")
    assert Settings(_env_file=tmp_path / "env") != Settings(_env_file=None)


def test_every_variable_of_the_compose_file_is_in_the_example() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    mentioned = {found[1] for line in lines if (found := _LINE.match(line))}
    assert used - mentioned == {"KIVUKO_VERSION"}
