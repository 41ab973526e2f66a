"""Daraja's keys, compared without blanks and case: its pages, its samples and its answers spell one key in several ways
("Response Status", "ResponseStatus", "responseStatus"). Pure."""

from collections.abc import Mapping
from typing import Any, Final

_UNSPELT: Final = str.maketrans("", "", " \t\u00a0_-")


def spelt(key: object) -> str:
    """A key as it is compared."""
    return str(key).translate(_UNSPELT).lower()


class Fields:
    """An object of a body, by its keys; empty for what is no object. Of two spellings of one key the first that has a value
    counts."""

    __slots__ = ("_found",)

    def __init__(self, body: object) -> None:
        self._found: dict[str, Any] = {}
        for key, value in body.items() if isinstance(body, Mapping) else ():
            if self._found.get(word := spelt(key)) in (None, ""):
                self._found[word] = value

    def __contains__(self, key: str) -> bool:
        return spelt(key) in self._found

    def __bool__(self) -> bool:
        return bool(self._found)

    def get(self, key: str) -> Any:
        return self._found.get(spelt(key))

    def text(self, key: str) -> str:
        return text_of(self.get(key))

    def within(self, key: str) -> "Fields":
        """The object under a key."""
        return Fields(self.get(key))


def text_of(value: Any) -> str:
    """A JSON scalar as text; "" for null, for a boolean and for anything that is no scalar."""
    if value is None or isinstance(value, bool | dict | list):
        return ""
    return str(value).strip()
