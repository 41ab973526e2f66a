"""No document costs more than its size, whatever it holds."""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from core.bounded_json import ANSWER, INBOUND, BeyondBounds, Bounds, Unreadable, check_json, read_json

K = 256 * 1024
HOSTILE: dict[str, bytes] = {
    "deep lists": b"[" * K,
    "paired deep lists": b"[" * 5000 + b"]" * 5000,
    "deep objects": b'{"a":' * 40_000,
    "an exponent": b'{"response":{"loanId":1e200000000}}',
    "an exponent with zeros": b"[1e0000000200000000]",
    "a negative exponent": b"[1E-200000000]",
    "digits": b'{"a":' + b"1" * 200_000 + b"}",
    "decimals": b'{"a":0.' + b"1" * 200_000 + b"}",
    "an exponent of digits": b"[1e" + b"0" * 200_000 + b"1]",
    "quotes that never close": b'"' + b'\\"' * (K // 2 - 2),
    "backslashes": b"\\" * K,
    "many values": b"[" + b"1," * (K // 2 - 3) + b"1]",
    "many texts": b"[" + b'"",' * (K // 3 - 3) + b'""]',
    "many lists": b"[" + b"[]," * (K // 3 - 3) + b"[]]",
    "a long text": b'["' + b"a" * 200_000 + b'"]',
    "wrong pairs": b"[}" * (K // 2),
    "too large": b" " * (K + 1),
}


def processor_seconds(work: Callable[[], Any]) -> float:
    began = time.thread_time()
    with pytest.raises(Unreadable):
        work()
    return time.thread_time() - began


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=list(HOSTILE))
def test_what_is_hostile_is_refused_quickly(raw: bytes) -> None:
    assert processor_seconds(lambda: read_json(raw)) < 0.4


@pytest.mark.parametrize("name", sorted(set(HOSTILE) - {"quotes that never close", "backslashes"}))
def test_what_is_hostile_is_known_before_it_is_parsed(name: str) -> None:
    with pytest.raises(BeyondBounds):
        check_json(HOSTILE[name])


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe\x00", b"[NaN]", b"[Infinity]", b"[-Infinity]", b"nul", b"[01]"])
def test_what_is_no_json_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read_json(raw)
    check_json(raw)  # the parser says so better


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": [1, 2.50, "x", null, true]}', {"a": [1, Decimal("2.50"), "x", None, True]}),
        ('{"a": "é\\u0000"}'.encode("utf-16"), {"a": "é\0"}),
        (b"[" * 31 + b"]" * 31, None),
        (b'["' + b"[" * 5000 + b'1e999999999"]', ["[" * 5000 + "1e999999999"]),
        (b"[10000.000000]", [Decimal("10000.000000")]),
        (b"[1E+99]", [Decimal("1E+99")]),
        (b'"\\\\"', "\\"),
    ],
)
def test_what_is_usual_is_read_exactly(raw: bytes, value: Any) -> None:
    assert value is None or read_json(raw) == value
    check_json(raw)


def test_the_bounds_are_those_that_were_given() -> None:
    small = Bounds(size=50, depth=2, nodes=3, digits=4, string=6)
    for raw in (b"[[[1]]]", b"[1,2,3,4]", b"[12345]", b'["abcdefgh"]', b" " * 51):
        with pytest.raises(BeyondBounds):
            read_json(raw, small)
    for raw in (b"[[1]]", b"[1,2]", b"[1234]"):
        read_json(raw, small)
    assert (INBOUND.size, ANSWER.size) == (K, 16 * 1024 * 1024)
