"""What a partner's server answers may cost neither memory nor time without bound, and is not read back through our log."""

import asyncio
import gzip
import time
import tracemalloc
from datetime import timedelta

import pytest

from core.errors import Garbled, KivukoError, NoAnswer, NotReached, Transient
from providers.http import Effect, ProviderHttp
from providers.ports import Endpoint, Exchange
from tests.providers.message_servers import Notebook, http_answer, raw_server
from tests.support.dialling import LOOPBACK

MIB = 1024 * 1024
Talk = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def http_to(
    port: int, book: Notebook | None = None, *, seconds: float = 5.0, provider: str = "fineract"
) -> ProviderHttp:
    given = Endpoint(
        f"http://127.0.0.1:{port}",
        connect_timeout=timedelta(seconds=0.2),
        read_timeout=timedelta(seconds=seconds),
        rules=LOOPBACK,
    )
    return ProviderHttp(provider, given, recorder=book or Notebook())


def packed(body: bytes, encoding: str = "gzip") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def test_a_gzip_bomb_costs_no_memory() -> None:
    bomb = gzip.compress(bytes(300 * MIB), 9)
    assert len(bomb) < 320_000

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(packed(bomb))

    async with raw_server(talk) as port, http_to(port) as http:
        tracemalloc.start()
        with pytest.raises(Transient) as refused:
            await http.call("loans.read", "GET", "/", effect="read")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert refused.value.code == "answer_too_large"
    assert peak < 12 * MIB


@pytest.mark.parametrize(("effect", "error"), [("money", Garbled), ("read", Transient)])
async def test_an_answer_beyond_the_bound_leaves_money_unknown(effect: Effect, error: type[KivukoError]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n" + bytes(MIB + 1))

    async with raw_server(talk) as port, http_to(port) as http:
        with pytest.raises(error) as refused:
            await http.call("pay", "POST", "/", effect=effect)
    assert refused.value.code == "answer_too_large"


async def test_what_fits_is_read_whole_packed_or_not() -> None:
    body = b'{"resourceId": "' + b"a" * (MIB - 40) + b'"}'

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(packed(gzip.compress(body)))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(packed(body, "identity"))

    async with raw_server(talk) as port, http_to(port) as http:
        for _ in range(2):
            assert len((await http.call("read", "GET", "/", effect="read")).object["resourceId"]) == MIB - 40


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
async def test_a_packing_that_we_did_not_ask_for_is_not_opened(encoding: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(packed(b"xx", encoding))

    async with raw_server(talk) as port, http_to(port) as http:
        with pytest.raises(Transient, match="more than we read"):
            await http.call("read", "GET", "/", effect="read")


@pytest.mark.parametrize(("effect", "error"), [("money", NoAnswer), ("read", NotReached)])
@pytest.mark.parametrize(
    "begin", [b"HTTP/1.1 200 OK\r\nX-Drip: ", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"]
)
async def test_a_server_that_drips_is_left_in_time(effect: Effect, error: type[KivukoError], begin: bytes) -> None:
    """Each byte comes within the patience for silence; all of them together do not."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(begin)
        while not writer.is_closing():
            writer.write(b"a")
            await asyncio.sleep(0.05)

    async with raw_server(talk) as port, http_to(port, seconds=0.4) as http:
        started = time.monotonic()
        with pytest.raises(error):
            await http.call("pay", "POST", "/", effect=effect)
        assert time.monotonic() - started < 3


async def test_headers_without_end_are_not_collected() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + b"X-More: " + b"a" * 300_000)
        await writer.drain()

    async with raw_server(talk) as port, http_to(port) as http:
        with pytest.raises(NoAnswer):
            await http.call("pay", "POST", "/", effect="money")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"Code": "Success", "AccessKeyId": "ASIA-INNER", "SecretAccessKey": "inner"}', "application/json"),
        ('["inner", "names"]', "application/json"),
        ("root:x:0:0:inner", "text/plain"),
        ("<html>inner wiki</html>", "text/html"),
    ],
)
@pytest.mark.parametrize("provider", ["fineract", "daraja", "ncba", "reference_bank"])
async def test_an_answer_that_is_not_the_protocols_leaves_only_its_length_and_digest(
    provider: str, body: str, kind: str
) -> None:
    book = Notebook()
    async with (
        raw_server(http_answer("200 OK", body, f"Content-Type: {kind}")) as port,
        http_to(port, book, provider=provider) as http,
    ):
        await http.call("check", "GET", "/", effect="read")
    kept: Exchange = book.exchanges[0]
    assert set(kept.response) == {"not_kept", "sha256"}
    assert "inner" not in str(kept)


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("fineract", '{"pageItems": [], "totalFilteredRecords": 0}'),
        ("fineract", '[{"id": 1, "accountNo": "000000091"}]'),
        ("daraja", '{"requestId": "1", "errorCode": "400.002.02", "errorMessage": "Bad Request"}'),
        ("ncba", '{"resultCode": "000", "statusDescription": "Success"}'),
        ("reference_bank", '{"code": "NOT_FOUND"}'),
    ],
)
async def test_an_answer_of_the_protocol_is_kept(provider: str, body: str) -> None:
    book = Notebook()
    async with raw_server(http_answer("200 OK", body)) as port, http_to(port, book, provider=provider) as http:
        await http.call("check", "GET", "/", effect="read")
    assert "not_kept" not in str(book.exchanges[0].response)


async def test_errors_tell_a_partner_nothing_of_the_network() -> None:
    """Nobody listening, a server that hangs up and one that speaks no HTTP are one text; our log tells them apart."""

    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async def no_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.inner ESMTP\r\n")

    texts = set()
    for talk in (hangs_up, no_http):
        async with raw_server(talk) as port, http_to(port) as http:
            with pytest.raises(NotReached) as failed:
                await http.call("check", "GET", "/", effect="read")
            texts.add(failed.value.detail)
    assert len(texts) == 1
