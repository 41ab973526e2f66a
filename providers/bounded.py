"""Reading an answer's bytes without letting them cost more than they may once they are unpacked."""

import zlib

import httpx


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
