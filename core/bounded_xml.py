"""The one reader of XML that strangers wrote, with the bounds of `core/bounded_json.py` and no declarations at all.

A control byte that XML forbids does not make a genuine message unreadable: it is carried through the parser as a character
of the private use area and put back, so that a signature over the texts still fits.
"""

import re
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

from core.bounded_json import BeyondBounds, Unreadable


@dataclass(frozen=True, slots=True)
class XmlBounds:
    """What one message may have at most."""

    size: int = 64 * 1024
    depth: int = 16
    nodes: int = 500


MESSAGE: Final = XmlBounds()

_DECLARATION: Final = re.compile(r"<!(?!--|\[CDATA\[)|<\?(?!xml[\s?])", re.IGNORECASE)
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_CARRIED_FROM: Final = 0xE000
_CARRIED: Final = re.compile("[\ue000-\ue09f\ue0fe\ue0ff]")


def read_xml(raw: bytes, bounds: XmlBounds = MESSAGE) -> ElementTree.Element:
    """The root element. Raises Unreadable; also for a document type, an entity or a processing instruction."""
    if len(raw) > bounds.size:
        raise BeyondBounds("It is too large.")
    try:
        # Decoded here and parsed as text, so that no other encoding can hide a declaration from the search.
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("This is not UTF-8.") from None
    if _DECLARATION.search(text):
        raise Unreadable("It declares something, which no message may.")
    if _CARRIED.search(text):
        raise Unreadable("It holds characters of nobody's.")
    counting = _Counting(bounds)
    parser = ElementTree.XMLParser(target=counting)  # noqa: S314 - declarations were refused just above
    try:
        parser.feed(_FORBIDDEN.sub(lambda found: chr(_CARRIED_FROM + (ord(found.group()) & 0xFF)), text))
        root = parser.close()
    except BeyondBounds:
        raise
    except (ElementTree.ParseError, ValueError):
        raise Unreadable("This is not XML.") from None
    assert isinstance(root, ElementTree.Element)
    for element in root.iter():
        element.text, element.tail = _put_back(element.text), _put_back(element.tail)
    return root


def _put_back(text: str | None) -> str | None:
    return text and _CARRIED.sub(_original, text)


def _original(found: re.Match[str]) -> str:
    low = ord(found.group()) - _CARRIED_FROM
    return chr(0xFF00 + low if low >= 0xFE else low)


class _Counting:
    """Builds the tree and ends it once it is too deep or has too many elements."""

    def __init__(self, bounds: XmlBounds) -> None:
        self._bounds, self._depth, self._nodes = bounds, 0, 0
        self._builder = ElementTree.TreeBuilder()

    def start(self, tag: str, attributes: dict[str, str]) -> ElementTree.Element:
        self._depth += 1
        self._nodes += 1 + len(attributes)
        if self._depth > self._bounds.depth:
            raise BeyondBounds("It is nested too deeply.")
        if self._nodes > self._bounds.nodes:
            raise BeyondBounds("It holds too many values.")
        return self._builder.start(tag, attributes)

    def end(self, tag: str) -> ElementTree.Element:
        self._depth -= 1
        return self._builder.end(tag)

    def data(self, text: str) -> None:
        self._builder.data(text)

    def close(self) -> ElementTree.Element:
        return self._builder.close()
