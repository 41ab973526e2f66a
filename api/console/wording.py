"""The console's words, in each language: `texts/<language>.toml`, by dotted keys ("sign_in.title")."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

LANGUAGES: Final = ("en", "sw")
FOLDER: Final = Path(__file__).parent / "texts"


class Wording:
    """The words of one language. `wording("sign_in.title")` is the text; named facts replace `{name}` in it."""

    def __init__(self, language: str) -> None:
        self.language, self._texts = language, texts(language)

    def __call__(self, key: str, **facts: object) -> str:
        """Raises KeyError for a key that there is not: templates are tried for that."""
        text = self._texts[key]
        return text.format(**facts) if facts else text

    def has(self, key: str) -> bool:
        return key in self._texts

    def of(self, group: str, word: str) -> str:
        """A machine's word as people read it ("stage", "in_review"); one that has no text is shown as it is, without
        underscores."""
        return self._texts.get(f"{group}.{word}") or word.replace("_", " ")


@cache
def texts(language: str) -> dict[str, str]:
    """All of one language, by dotted key."""
    with (FOLDER / f"{language}.toml").open("rb") as file:
        return dict(_flat(tomllib.load(file)))


@cache
def wording(language: str) -> Wording:
    return Wording(language if language in LANGUAGES else LANGUAGES[0])


def language_of(accepted: str) -> str:
    """The first of ours that a browser's Accept-Language names; English if none."""
    named = (part.partition(";")[0].strip().lower()[:2] for part in accepted.split(",")[:20])
    return next((one for one in named if one in LANGUAGES), LANGUAGES[0])


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
