"""What a call that failed may have done, by when it failed; and how seldom we let it come to that."""

import asyncio

import pytest

from core.errors import NoAnswer, NotReached, Transient, Unknown
from providers.http import Effect, ProviderHttp
from tests.providers.message_servers import endpoint, free_port, raw_server

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


async def answers_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers a connection's first call, and hangs up on it when the second comes."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER)
    await reader.readuntil(b"\r\n\r\n")


async def call(http: ProviderHttp, effect: Effect) -> int:
    return (await http.call("pay", "POST", "/pay", effect=effect)).status


@pytest.mark.parametrize(("effect", "error"), [("money", NoAnswer), ("read", NotReached)])
async def test_a_server_that_hangs_up_leaves_money_unknown_and_a_read_undone(
    effect: Effect, error: type[Unknown | Transient]
) -> None:
    async with raw_server(answers_once) as port, ProviderHttp("bank", endpoint(f"http://127.0.0.1:{port}")) as http:
        assert await call(http, effect) == 200
        with pytest.raises(error):
            await call(http, effect)


async def test_a_connection_that_was_idle_is_not_trusted_with_money() -> None:
    """A server may be hanging up on it just as we send: a new one costs less than not knowing."""
    async with raw_server(answers_once) as port, ProviderHttp("bank", endpoint(f"http://127.0.0.1:{port}")) as http:
        assert await call(http, "money") == 200
        await asyncio.sleep(2.1)
        assert await call(http, "money") == 200


async def test_where_nobody_listens_nothing_left() -> None:
    async with ProviderHttp("bank", endpoint(f"http://127.0.0.1:{free_port()}")) as http:
        with pytest.raises(NotReached):
            await call(http, "money")
