"""The one reader of JSON that strangers wrote: nothing in it costs more than its size, whatever it holds.

A number of two hundred thousand digits, or one with an exponent of that size, stops a process as soon as somebody turns it
into an integer; deep nesting ends in a stack overflow; millions of tiny values fill the memory. All of it is refused before
the value exists, by searches that run once over the text.
"""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NoReturn


class Unreadable(ValueError):
    """It is not JSON (or XML), or it is beyond a bound. The text says which and quotes nothing."""


class BeyondBounds(Unreadable):
    """It may be well-formed, and nobody will find out."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one document may have at most. `nodes` counts values, `digits` those of one number."""

    size: int = 256 * 1024
    depth: int = 32
    nodes: int = 20_000
    digits: int = 100
    string: int = 64 * 1024


# What comes in unasked, and what we asked a provider for: its lists are long.
INBOUND: Final = Bounds()
ANSWER: Final = Bounds(size=16 * 1024 * 1024, nodes=2_000_000, string=4 * 1024 * 1024)

# Possessive: a text that is never closed is looked through once, not once for each quote in it.
_TEXT: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS: Final = re.compile(r"[^\[\]{}]++")
_EXPONENT: Final = re.compile(r"[0-9.][eE][+-]?0*+[0-9]{3}")


def read_json(raw: bytes | str, bounds: Bounds = INBOUND) -> Any:
    """The value; numbers with a point or an exponent are Decimals. Raises Unreadable."""
    text = _decoded(raw, bounds)
    _check(text, bounds)
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, ArithmeticError):
        raise Unreadable("This is not JSON.") from None


def check_json(raw: bytes | str, bounds: Bounds = INBOUND) -> None:
    """Raises BeyondBounds for what should not be given to any parser; whether it is JSON at all is not looked at."""
    try:
        text = _decoded(raw, bounds)
    except BeyondBounds:
        raise
    except Unreadable:
        return
    _check(text, bounds)


def _decoded(raw: bytes | str, bounds: Bounds) -> str:
    if len(raw) > bounds.size:
        raise BeyondBounds("It is too large.")
    if isinstance(raw, str):
        return raw
    try:
        return raw.decode(json.detect_encoding(raw))
    except (UnicodeDecodeError, LookupError):
        raise Unreadable("This is not text.") from None


def _check(text: str, bounds: Bounds) -> None:
    if len(text) > bounds.string and any(len(found.group()) > bounds.string for found in _TEXT.finditer(text)):
        raise BeyondBounds("A text in it is too long.")
    bare = _TEXT.sub('"', text)
    if bare.count(",") + bare.count("[") + bare.count("{") >= bounds.nodes:
        raise BeyondBounds("It holds too many values.")
    if _EXPONENT.search(bare) or re.search(rf"[0-9]{{{bounds.digits + 1}}}", bare):
        raise BeyondBounds("A number in it is too long.")
    _check_depth(_NOT_BRACKETS.sub("", bare), bounds.depth)


def _check_depth(brackets: str, depth: int) -> None:
    """Takes the innermost pairs away, as often as there may be levels."""
    for _ in range(depth):
        if not brackets:
            return
        brackets = brackets.replace("[]", "").replace("{}", "")
    # A pair that is left over was nested deeper; what is not paired at all is no JSON, however deep.
    if "[]" in brackets or "{}" in brackets or len(brackets) > depth:
        raise BeyondBounds("It is nested too deeply.")


def _no_number(_: str) -> NoReturn:
    raise Unreadable("NaN and Infinity are no numbers of JSON.")
