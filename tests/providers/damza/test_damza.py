import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from typing import Literal

import pytest

from core.errors import (
    Garbled,
    InsufficientFunds,
    InvalidRequest,
    KivukoError,
    NoAnswer,
    NotAllowed,
    NotReached,
    Rejected,
    Throttled,
    Transient,
    Unknown,
)
from providers.damza import wire
from providers.damza.client import Damza
from providers.ports import SmsPort
from providers.sms import SmsCredentials
from simulators.books import MESSAGES
from simulators.faults import Fault, FaultScript
from simulators.world import World
from tests.providers.message_servers import (
    PHONE,
    TEXT,
    Notebook,
    client_side_log,
    endpoint,
    free_port,
    gateways,
    golden,
    http_answer,
    raw_server,
)

Dialect = Literal["panel", "airtouch"]
DIALECTS: tuple[Dialect, ...] = ("panel", "airtouch")
both = pytest.mark.parametrize("dialect", DIALECTS)


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[tuple[World, str]]:
    """One server for all tests here: starting one takes longer than most of them."""
    world = World()
    async with gateways(world) as base:
        yield world, f"{base}/damza"
    await world.close()


@pytest.fixture
def world(stack: tuple[World, str]) -> World:
    world = stack[0]
    world.documents.clear()
    world.faults.clear()
    return world


@pytest.fixture
def url(stack: tuple[World, str], world: World) -> str:
    return stack[1]


def credentials(dialect: Dialect, api_key: str = "local-demo") -> SmsCredentials:
    return SmsCredentials("kivuko", api_key, "KIVUKO", dialect)


def fault(world: World, action: str, **options: object) -> None:
    world.faults.add(FaultScript(faults=[Fault(operation="damza.send", action=action, options=options)]))


async def failure(
    url: str, dialect: Dialect, *, patience: float = 5.0, api_key: str = "local-demo", book: Notebook | None = None
) -> KivukoError:
    """The error of one send."""
    async with Damza(
        endpoint(url, patience=patience), credentials(dialect, api_key), recorder=book or Notebook()
    ) as damza:
        with pytest.raises(KivukoError) as caught:
            await damza.send(PHONE, TEXT, reference="ntf_1")
    return caught.value


async def test_the_panel_takes_a_message_and_gives_no_id(world: World, url: str) -> None:
    async with Damza(endpoint(url), credentials("panel")) as damza:
        port: SmsPort = damza
        accepted = await port.send(PHONE, TEXT, reference="ntf_1")
    assert (accepted.gateway, accepted.message_id) == ("damza", None)
    (message,) = world.documents.all(MESSAGES)
    assert (message["channel"], message["gateway"], message["to"], message["text"]) == (
        "sms",
        "damza",
        PHONE.digits,
        TEXT,
    )
    assert message["reference"] is None


async def test_airtouch_takes_a_message_with_our_reference_and_gives_its_id(world: World, url: str) -> None:
    async with Damza(endpoint(url), credentials("airtouch")) as damza:
        accepted = await damza.send(PHONE, TEXT, reference="ntf_1")
    (message,) = world.documents.all(MESSAGES)
    assert message["reference"] == "ntf_1"
    assert message["message_id"] == accepted.message_id


@pytest.mark.parametrize(("code", "refusal"), sorted(wire.PANEL_REFUSED.items()))
async def test_every_known_panel_code_is_a_refusal(world: World, url: str, code: str, refusal: object) -> None:
    fault(world, "refuse", code=code)
    error = await failure(url, "panel")
    assert isinstance(error, Rejected)
    assert error.extra == {
        "failover": "no" if code == "103" else "yes",
        "gateway": "damza",
        "provider_code": code,
    }
    assert world.documents.all(MESSAGES) == []


@pytest.mark.parametrize(
    ("code", "kind"), [("1001", Rejected), ("1004", InsufficientFunds), ("1006", NotAllowed), ("1011", NotAllowed)]
)
async def test_every_known_airtouch_code_is_a_refusal_that_the_other_gateway_may_take(
    world: World, url: str, code: str, kind: type[Rejected]
) -> None:
    fault(world, "refuse", code=code)
    error = await failure(url, "airtouch")
    assert type(error) is kind
    assert error.extra["failover"] == "yes"


@both
async def test_a_code_that_is_in_no_table_is_unknown_not_refused(world: World, url: str, dialect: Dialect) -> None:
    fault(world, "refuse", code="777")
    assert isinstance(await failure(url, dialect), Garbled)


def test_a_message_that_waits_for_approval_may_still_go_out() -> None:
    assert wire.panel_answer(200, golden("damza_panel_waits_for_approval")["body"], "") is None


@both
async def test_a_read_timeout_is_unknown_although_the_message_went_out(
    world: World, url: str, dialect: Dialect
) -> None:
    fault(world, "timeout_after_send")
    error = await failure(url, dialect, patience=0.3)
    assert isinstance(error, NoAnswer)
    assert len(world.documents.all(MESSAGES)) == 1


@both
async def test_html_with_status_200_is_unknown_and_not_success(world: World, url: str, dialect: Dialect) -> None:
    fault(world, "html_200")
    assert isinstance(await failure(url, dialect), Garbled)


@both
async def test_a_slow_answer_within_patience_is_an_answer(world: World, url: str, dialect: Dialect) -> None:
    fault(world, "slow", seconds=0.2)
    async with Damza(endpoint(url), credentials(dialect)) as damza:
        await damza.send(PHONE, TEXT, reference="ntf_1")
    assert len(world.documents.all(MESSAGES)) == 1


@both
async def test_a_5xx_is_unknown(world: World, url: str, dialect: Dialect) -> None:
    fault(world, "down")
    assert isinstance(await failure(url, dialect), Unknown)


async def test_a_5xx_is_unknown_even_if_its_body_is_a_refusal() -> None:
    async with raw_server(http_answer("502 Bad Gateway", '{"code":"106","message":"Invalid Sender ID"}')) as port:
        assert isinstance(await failure(f"http://127.0.0.1:{port}", "panel"), Unknown)


SAID: list[tuple[Dialect, str, str, type[KivukoError], str]] = [
    ("panel", "200 OK", '{"code":"888","message":"Invalid Phone Number"}', InvalidRequest, "no"),
    ("panel", "200 OK", '{"status":"error","message":"Insufficient SMS units, please top up"}', InsufficientFunds, "yes"),
    ("panel", "200 OK", "Authentication failed", NotAllowed, "yes"),
    ("panel", "422 Unprocessable", '{"errors":{"to":["The to field is required."],"message":"invalid"}}', Rejected, "yes"),
    ("panel", "404 Not Found", '{"error":{"message":"Invalid Sender ID"}}', Rejected, "yes"),
    ("panel", "200 OK", '{"CODE":"106","message":"Invalid Sender ID"}', Rejected, "yes"),
    ("airtouch", "200 OK", '{"status_code":"1099","status_desc":"INVALID MSISDN"}', InvalidRequest, "no"),
    ("airtouch", "400 Bad Request", '{"status_code":"1005","status_desc":"INSUFFICIENT BALANCE"}', InsufficientFunds, "yes"),
    ("airtouch", "400 Bad Request", '{"status_desc":"missing parameter"}', Rejected, "yes"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "status", "body", "kind", "failover"), SAID)
async def test_an_answer_without_a_known_code_is_read_for_what_it_says(
    dialect: Dialect, status: str, body: str, kind: type[KivukoError], failover: str
) -> None:
    async with raw_server(http_answer(status, body)) as port:
        error = await failure(f"http://127.0.0.1:{port}", dialect)
    assert isinstance(error, kind)
    assert error.extra["failover"] == failover


@pytest.mark.parametrize(
    ("dialect", "status", "body"),
    [
        ("panel", "200 OK", '{"code":"111","message":"SMS contain spam word. Wait for approval"}'),
        ("panel", "200 OK", '{"code":"106","message":"Successfully Sent"}'),
        ("panel", "200 OK", '{"code":"888","message":"Successfully Sent, insufficient balance for the next"}'),
        ("panel", "200 OK", '{"code":"888","message":"Something"}'),
        ("panel", "200 OK", '{"message":"' + "invalid phone number " * 100 + '"}'),
        ("panel", "400 Bad Request", "<html>invalid request</html>"),
        ("panel", "503 Unavailable", '{"message":"invalid phone number"}'),
        ("airtouch", "200 OK", "{}"),
        ("airtouch", "404 Not Found", "no such page"),
    ],
)  # fmt: skip
async def test_an_answer_that_says_neither_yes_nor_no_is_unknown(dialect: Dialect, status: str, body: str) -> None:
    async with raw_server(http_answer(status, body)) as port:
        assert isinstance(await failure(f"http://127.0.0.1:{port}", dialect), Unknown)


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("panel", '{"code":"100","message":"Successfully Send"}'), ("panel", '{"status":"OK"}'),
        ("panel", "Successfully Sent"), ("airtouch", '{"status_desc":"SUCCESS","message_id":"m1"}'),
    ],
)  # fmt: skip
async def test_an_answer_that_says_yes_in_words_is_one(dialect: Dialect, body: str) -> None:
    async with (
        raw_server(http_answer("200 OK", body)) as port,
        Damza(endpoint(f"http://127.0.0.1:{port}"), credentials(dialect)) as damza,
    ):
        assert (await damza.send(PHONE, TEXT, reference="ntf_1")).gateway == "damza"


@both
async def test_nobody_listening_is_not_sent(dialect: Dialect) -> None:
    assert isinstance(await failure(f"http://127.0.0.1:{free_port()}", dialect), NotReached)


async def test_a_reset_after_the_request_left_is_unknown() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with raw_server(hang_up) as port:
        assert isinstance(await failure(f"http://127.0.0.1:{port}", "panel"), NoAnswer)


async def test_a_throttle_is_transient() -> None:
    async with raw_server(http_answer("429 Too Many Requests", "", "Retry-After: 3")) as port:
        error = await failure(f"http://127.0.0.1:{port}", "panel")
    assert isinstance(error, Throttled)
    assert error.retry_after is not None
    assert error.retry_after.total_seconds() == 3


@both
async def test_wrong_credentials_are_not_allowed_and_the_other_gateway_may_take_it(url: str, dialect: Dialect) -> None:
    error = await failure(url, dialect, api_key="wrong-key")
    assert isinstance(error, NotAllowed)
    assert error.extra["failover"] == "yes"


@both
async def test_the_secret_reaches_neither_the_exchange_log_nor_any_log_line(
    world: World, url: str, dialect: Dialect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)  # the root logger: httpx would speak at INFO if it had not been silenced
    secret = "k3y-that-nobody-may-read"
    hidden = [secret, hashlib.md5(secret.encode()).hexdigest(), PHONE.digits, "Wanjiru"]
    book = Notebook()
    await failure(url, dialect, api_key=secret, book=book)
    # A proxy's page that quotes the whole address is the worst case: it must not carry the secret into the log either.
    fault(world, "html_200")
    async with Damza(endpoint(url), credentials(dialect), recorder=book) as damza:
        with pytest.raises(Garbled):
            await damza.send(PHONE, TEXT, reference="ntf_1")
    hidden += ["local-demo", hashlib.md5(b"local-demo").hexdigest()]
    everything = repr(book.exchanges) + client_side_log(caplog)
    assert [word for word in hidden if word in everything] == []
    assert [exchange.url for exchange in book.exchanges] == [f"/sms/api{'/' if dialect == 'airtouch' else ''}"] * 2
    assert "Please wait" in str(book.exchanges[1].response), "the page itself is kept"


@both
async def test_a_page_that_quotes_our_request_is_logged_without_our_secret(dialect: Dialect) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        page = b"<html>upstream error for " + request.split(b"\r\n")[0] + b"</html>"
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page))
        await writer.drain()

    book = Notebook()
    async with raw_server(echo) as port:
        await failure(f"http://127.0.0.1:{port}", dialect, api_key="k3y/with+signs", book=book)
    logged = repr(book.exchanges)
    assert "upstream error" in logged
    for hidden in ("k3y", "with+signs", "with%2Bsigns", hashlib.md5(b"k3y/with+signs").hexdigest(), PHONE.digits):
        assert hidden not in logged


@both
async def test_check_passes_with_good_credentials_and_sends_nothing(world: World, url: str, dialect: Dialect) -> None:
    async with Damza(endpoint(url), credentials(dialect)) as damza:
        await damza.check()
    assert world.documents.all(MESSAGES) == []


@both
async def test_check_names_refused_credentials(url: str, dialect: Dialect) -> None:
    async with Damza(endpoint(url), credentials(dialect, "wrong-key")) as damza:
        with pytest.raises(NotAllowed):
            await damza.check()


@both
@pytest.mark.parametrize("answer", [("200 OK", "<html>"), ("500 Oops", '{"balance": 5}'), ("200 OK", '{"code":"888"}')])
async def test_check_is_transient_where_no_verdict_came(dialect: Dialect, answer: tuple[str, str]) -> None:
    async with (
        raw_server(http_answer(*answer)) as port,
        Damza(endpoint(f"http://127.0.0.1:{port}"), credentials(dialect)) as damza,
    ):
        with pytest.raises(Transient):
            await damza.check()


def test_a_dialect_is_needed() -> None:
    with pytest.raises(InvalidRequest):
        Damza(endpoint("https://sms.example"), SmsCredentials("kivuko", "k", "KIVUKO"))


def test_airtouch_over_plain_http_is_refused_outside_loopback() -> None:
    with pytest.raises(InvalidRequest):
        Damza(endpoint("http://client.example:9012"), credentials("airtouch"))


async def test_an_empty_text_is_refused_before_any_call() -> None:
    async with Damza(endpoint(f"http://127.0.0.1:{free_port()}"), credentials("panel")) as damza:
        with pytest.raises(InvalidRequest):
            await damza.send(PHONE, " ", reference="ntf_1")


def test_the_golden_answers_are_read_as_the_vendor_means_them() -> None:
    assert not isinstance(wire.panel_answer(200, golden("damza_panel_accepted")["body"], ""), Rejected | None)
    assert isinstance(wire.panel_answer(200, golden("damza_panel_refused")["body"], ""), NotAllowed)
    accepted = wire.airtouch_answer(200, golden("damza_airtouch_accepted")["body"], "")
    assert not isinstance(accepted, Rejected | None)
    assert accepted.message_id == "7f0c2d9e-5b1a-4c8e-9a37-1f6e0b2d4c58"
