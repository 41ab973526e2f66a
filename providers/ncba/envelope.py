"""The SOAP envelope of NCBA's account push, read without a tree (bank_ncba.md 2). Pure.

A push that is lost is never sent again, so what a bank's name may hold is read although XML forbids it: control bytes, a bare
ampersand, bytes of an older code page. Bounded in size, depth and number of elements, without document types and entities.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from core.errors import Garbled

_MAX_BYTES: Final = 64 * 1024
_MAX_DEPTH: Final = 16
_MAX_ELEMENTS: Final = 200
_REQUEST: Final = "NCBAPaymentNotificationRequest"

# What XML 1.0 cannot hold, and its numeric references; `&` where no reference follows.
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_REFERENCE: Final = re.compile(r"&#(?:([0-9]{1,7})|[xX]([0-9a-fA-F]{1,6}));")
_BARE_AMPERSAND: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});)")
# Where forbidden characters stand while the parser runs: a plane that no text uses.
_SHIFT: Final = 0x100000
_STOOD_IN: Final = re.compile("[\U00100000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Envelope:
    """The request's fields by their names without namespaces. `texts` are what they mean; `sent` is how they were spelled,
    references and all, and `encoding` in which bytes."""

    texts: dict[str, str]
    sent: dict[str, str]
    encoding: str

    def text(self, name: str) -> str:
        return self.texts.get(name, "")


def read_envelope(raw: bytes) -> Envelope:
    """Raises Garbled for what is no account push, whatever is wrong with it."""
    garbled = Garbled("This is not an NCBA account push.")
    if len(raw) > _MAX_BYTES:
        raise garbled
    text, encoding = _decoded(raw)
    if _STOOD_IN.search(text):
        raise garbled
    document = _BARE_AMPERSAND.sub(_stand_in, _FORBIDDEN.sub(_stand_in, _REFERENCE.sub(_spelled_out, text))).encode()
    reader = _Reader(document)
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.StartElementHandler = lambda name, attributes: reader.start(name, parser.CurrentByteIndex)
    parser.EndElementHandler = lambda name: reader.end(parser.CurrentByteIndex)
    parser.CharacterDataHandler = reader.characters
    try:
        # The declaration may name another encoding; what is parsed is ours.
        parser.Parse(document, True)
    except (expat.ExpatError, _Refused):
        raise garbled from None
    if reader.requests != 1:
        raise garbled
    return Envelope(
        {name: _put_back(value) for name, value in reader.texts.items()},
        {name: _put_back(value) for name, value in reader.sent.items()},
        encoding,
    )


class _Refused(Exception):
    pass


@dataclass
class _Reader:
    """Collects the children of the one request element."""

    document: bytes
    texts: dict[str, str] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    _path: list[str] = field(default_factory=list)
    _elements: int = 0
    _start: int = 0
    _parts: list[str] = field(default_factory=list)

    def refuse(self, *declared: object) -> None:
        raise _Refused

    def start(self, name: str, index: int) -> None:
        local = name.rpartition(" ")[2]
        self._elements += 1
        if len(self._path) >= _MAX_DEPTH or self._elements > _MAX_ELEMENTS:
            raise _Refused
        if _REQUEST in self._path[:-1]:
            raise _Refused  # a field holds text alone
        if self._path and self._path[-1] == _REQUEST:
            # A field that is there twice would be hashed once and read once, perhaps not the same one.
            if local in self.texts:
                raise _Refused
            self.texts[local] = self.sent[local] = ""
            self._start, self._parts = index, []
        self.requests += local == _REQUEST
        self._path.append(local)

    def characters(self, text: str) -> None:
        if len(self._path) >= 2 and self._path[-2] == _REQUEST:
            self._parts.append(text)

    def end(self, index: int) -> None:
        local = self._path.pop()
        if self._path and self._path[-1] == _REQUEST:
            self.texts[local] = "".join(self._parts)
            begin = self.document.find(b">", self._start) + 1
            self.sent[local] = self.document[begin : max(begin, index)].decode()


def _decoded(raw: bytes) -> tuple[str, str]:
    try:
        return raw.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return raw.decode("latin-1"), "latin-1"


def _spelled_out(match: re.Match[str]) -> str:
    """A reference to a character that XML forbids, as that character; any other as it is."""
    code = int(match[1]) if match[1] else int(match[2], 16)
    return chr(code) if code < 0x110000 and _FORBIDDEN.match(chr(code)) else match[0]


def _stand_in(match: re.Match[str]) -> str:
    return chr(_SHIFT + ord(match[0]))


def _put_back(text: str) -> str:
    return _STOOD_IN.sub(lambda match: chr(ord(match[0]) - _SHIFT), text)
