"""Reading an answer without letting it cost more than it may: bytes after decompression, depth, digits."""

import json
import zlib
from decimal import Decimal
from typing import Any, Final

import httpx

# More than any amount, id or moment has; a number of a million digits takes minutes to read.
_MOST_DIGITS: Final = 100
_MOST_EXPONENT: Final = 40


class AnswerTooLarge(Exception):
    """The answer has more bytes than are read, or is packed in a way that we did not ask for."""


async def read_text(response: httpx.Response, most_bytes: int) -> str:
    """The whole body as text. Raises AnswerTooLarge, what httpx raises while reading, and zlib's error as httpx's own."""
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise AnswerTooLarge
    opener = None if packing in ("identity", "") else zlib.decompressobj(zlib.MAX_WBITS | 32)
    body = bytearray()
    async for chunk in response.aiter_raw():
        left = most_bytes - len(body)
        try:
            # With a length given, zlib stops there: a bomb is never unpacked.
            body += chunk if opener is None else opener.decompress(chunk, left + 1)
        except zlib.error:
            raise httpx.DecodingError("the answer is not packed as it says") from None
        if len(body) > most_bytes:
            raise AnswerTooLarge
    charset = response.charset_encoding or "utf-8"
    try:
        return bytes(body).decode(charset, errors="replace")
    except LookupError:
        return bytes(body).decode("utf-8", errors="replace")


def read_json(text: str) -> Any:
    """The JSON value with numbers as Decimal; None for what is no JSON, nests too deep or holds an absurd number."""
    try:
        return json.loads(text, parse_float=_decimal, parse_int=_integer)
    except (ValueError, RecursionError, ArithmeticError):
        return None


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("a number of too many digits")
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > _MOST_DIGITS:
        raise ValueError("a number of too many digits")
    number = Decimal(text)
    if abs(number.adjusted()) > _MOST_EXPONENT and number:
        raise ValueError("a number beyond all amounts")
    return number
