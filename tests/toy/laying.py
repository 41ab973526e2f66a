"""Lays a copy of the house with the toy's files in it, and one entry in each of the two lists: all that a new saga on a new
rail may need."""

import shutil
from pathlib import Path
from typing import Final

from alembic.script import ScriptDirectory

from store.migrate import alembic_config
from tests.architecture import house

OVERLAY: Final = Path(__file__).parent / "overlay"
TOY: Final = Path(__file__).parent.relative_to(house.ROOT)

# By file: the list, and the entry that is added at its end.
ENTRIES: Final = {
    "models/kinds.py": (
        "KINDS: Final = (\n",
        """\
    SagaKind(
        name="relay", workflow="Relay", family="toys", leaf="relay", row="Relay", id_prefix="rly", resource="relays",
        word="relay", about="Money on its way from one person to another", money="both", providers=("tin",),
        partner_may_resolve=True, resolved_by_two=False, arrives_by=("tin",),
    ),
""",
    ),
    "models/providers.py": (
        "PROVIDERS: Final = (\n",
        """\
    Provider(
        name="tin", word="tin", title="the tin", queue="tin", settings="TinSettings", pays=True, prompts=True,
        claims=("tin_account",), calls_at="tin", calls=(("announce", "/"),), tells_of_money=True, callbacks="tin",
    ),
""",
    ),
}
_END: Final = ")  # fmt: skip\n"
# A migration follows the last one that there is, whichever that is when the toy is laid.
_MIGRATION, _AFTER = "migrations/versions/toys.py", '"the head"'


def files_of_the_house() -> list[str]:
    """Every file of the checkout, as git sees it, but the toy's."""
    paths = (path.relative_to(house.ROOT) for path in house.repository_files())
    return sorted(path.as_posix() for path in paths if TOY not in path.parents)


def files_of_the_toy() -> list[str]:
    found = (path for path in OVERLAY.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path.relative_to(OVERLAY).as_posix() for path in found)


def lay(folder: Path) -> None:
    """Raises FileExistsError if a file of the toy would take the place of one of the house."""
    for name in files_of_the_house():
        _copy(house.ROOT / name, folder / name)
    for name in files_of_the_toy():
        if (folder / name).exists():
            raise FileExistsError(name)
        _copy(OVERLAY / name, folder / name)
    head = ScriptDirectory.from_config(alembic_config("")).get_current_head()
    _replace(folder / _MIGRATION, _AFTER, f'"{head}"')
    for name, (beginning, entry) in ENTRIES.items():
        text = (folder / name).read_text(encoding="utf-8")
        before, found, after = text.partition(beginning)
        assert found, f"{name} has no {beginning}"
        entries, end, rest = after.partition(_END)
        (folder / name).write_text(f"{before}{beginning}{entries}{entry}{end}{rest}", encoding="utf-8")


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, to)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, path
    path.write_text(text.replace(old, new), encoding="utf-8")
