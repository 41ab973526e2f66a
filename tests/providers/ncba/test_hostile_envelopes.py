"""No push costs more than its size, whatever it holds, and none may declare anything."""

import time

import pytest

from core.errors import Garbled
from providers.ncba.envelope import read_envelope

_OPEN, _CLOSE = b"<e><NCBAPaymentNotificationRequest>", b"</NCBAPaymentNotificationRequest></e>"


def _request(inside: bytes) -> bytes:
    return _OPEN + inside + _CLOSE


HOSTILE: dict[str, bytes] = {
    "a document type": b'<!DOCTYPE a [<!ENTITY b "c">]>' + _request(b"<a>&b;</a>"),
    "a billion laughs": b'<!DOCTYPE a [<!ENTITY b "cccccccc"><!ENTITY c "&b;&b;&b;&b;">]>' + _request(b"<a>&c;</a>"),
    "an outer file": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + _request(b"<a>&b;</a>"),
    "another encoding": (b"<!DOCTYPE a>" + _request(b"<a/>")).decode().encode("utf-16"),
    "deep": b"<a>" * 20_000,
    "paired deep": _request(b"<a>" * 500 + b"</a>" * 500),
    "wide": _request(b"".join(b"<a%d/>" % n for n in range(5000))),
    "attributes": b"<a " + b" ".join(b'a%d=""' % n for n in range(5000)) + b"/>",
    "brackets": b"<" * 65_000,
    "ampersands": b"&" * 65_000,
    "references": b"&#" * 32_000,
    "too large": _request(b"<a>" + b" " * 65_536 + b"</a>"),
    "nothing": b"",
    "no request": b"<a>x</a>",
    "two requests": b"<x>" + _request(b"<a/>") + _request(b"<a/>") + b"</x>",
    "a field twice": _request(b"<TransID>1</TransID><TransID>2</TransID>"),
    "a field in a field": _request(b"<TransID><x>1</x></TransID>"),
    "stand-ins": _request("<a>\U00100001</a>".encode()),
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_envelope_is_refused_for_little_time(raw: bytes) -> None:
    began = time.thread_time()
    with pytest.raises(Garbled):
        read_envelope(raw)
    assert time.thread_time() - began < 0.4


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"x\x01y\x1b[31m\x00", "x\x01y\x1b[31m\0"),
        (b"<![CDATA[<x> & y]]>", "<x> & y"),
        ("\x85\x9f\ufffe".encode(), "\x85\x9f\ufffe"),
        (b"<!-- c -->x", "x"),
        (b"&amp;&#65;", "&A"),
        (b"Hardware & Sons", "Hardware & Sons"),
        ("Señor".encode("latin-1"), "Señor"),
    ],
)
def test_a_text_comes_out_as_it_went_in(sent: bytes, text: str) -> None:
    """A control byte in a name makes no genuine push unreadable."""
    assert read_envelope(_request(b"<CustomerName>" + sent + b"</CustomerName>")).text("CustomerName") == text
