import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any, Literal

import pytest

from core.errors import (
    Busy,
    Garbled,
    InvalidRequest,
    KivukoError,
    NoAnswer,
    NotAllowed,
    NotReached,
    Rejected,
    Transient,
)
from providers.ports import EmailPort
from providers.smtp.client import Smtp
from simulators.books import MESSAGES
from simulators.faults import Fault, FaultScript
from simulators.smtp.sink import MailSink
from simulators.world import World
from tests.providers.message_servers import free_port, raw_server

SENDER = "Kivuko <no-reply@kivuko.example>"
TO = "wanjiru@lender.example"
Stack = tuple[World, int]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    world = World()
    port = free_port()
    sink = MailSink(world, "127.0.0.1", port)
    sink.start()
    yield world, port
    sink.stop()
    await world.close()


@pytest.fixture
def world(stack: Stack) -> World:
    stack[0].documents.clear()
    stack[0].faults.clear()
    return stack[0]


@pytest.fixture
def port(stack: Stack, world: World) -> int:
    return stack[1]


def mailer(
    port: int,
    *,
    username: str | None = None,
    password: str | None = None,
    tls: Literal["none", "starttls", "implicit"] = "none",
    patience: float = 5.0,
) -> Smtp:
    return Smtp("127.0.0.1", port, username, password, tls, SENDER, timeout=timedelta(seconds=patience))


def fault(world: World, action: str, **options: object) -> None:
    world.faults.add(FaultScript(faults=[Fault(operation="smtp.send", action=action, options=options)]))


async def failure(client: Smtp, *, to: str = TO, subject: str = "Paid", message_id: str = "ntf_1") -> KivukoError:
    with pytest.raises(KivukoError) as caught:
        await client.send(to, subject, "The loan is paid.", message_id=message_id)
    return caught.value


def script(*replies: str, silent_at: str | None = None) -> Talk:
    """A server that greets, then answers each command with the next reply; at `silent_at` it says nothing more."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example\r\n")
        for reply in replies:
            line = await reader.readline()
            if reply.startswith("after-data "):
                while line not in (b".\r\n", b""):
                    line = await reader.readline()
            if silent_at and reply.endswith(silent_at):
                await reader.read(-1)  # until the client gives up
                return
            writer.write(reply.removeprefix("after-data ").encode() + b"\r\n")
            await writer.drain()

    return talk


async def test_a_mail_arrives_with_its_text_and_headers(world: World, port: int) -> None:
    client: EmailPort = mailer(port)
    await client.send(TO, "Malipo ✓ yamefika", "Habari – salio ni KES 5,000\n.\nKwaheri", message_id="ntf_1")
    (message,) = world.documents.all(MESSAGES)
    assert (message["channel"], message["gateway"], message["to"]) == ("email", "smtp", TO)
    assert message["subject"] == "Malipo ✓ yamefika"
    assert message["text"] == "Habari – salio ni KES 5,000\n.\nKwaheri"
    assert message["message_id"] == "<ntf_1@kivuko.example>"


async def test_the_message_id_is_the_same_in_every_attempt(world: World, port: int) -> None:
    client = mailer(port)
    for _ in range(2):
        await client.send(TO, "Paid", "The loan is paid.", message_id="<saga.paid.1@lender.example>")
    assert {message["message_id"] for message in world.documents.all(MESSAGES)} == {"<saga.paid.1@lender.example>"}


async def test_a_mail_says_that_a_machine_wrote_it_and_when() -> None:
    content = bytearray()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        for reply in (b"250 hello", b"250 from", b"250 to", b"354 go on"):
            await reader.readline()
            writer.write(reply + b"\r\n")
        content.extend(await reader.readuntil(b"\r\n.\r\n"))
        writer.write(b"250 taken\r\n")
        await reader.readline()
        writer.write(b"221 bye\r\n")

    async with raw_server(talk) as port:
        await mailer(port).send(TO, "Paid", "Imelipwa – asante", message_id="ntf_1")
    message: Any = message_from_bytes(bytes(content), policy=default)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.tzinfo is not None
    assert message["From"] == SENDER
    assert max(content) < 128, "seven bits, since not every server takes eight"


@pytest.mark.parametrize("subject", ["Paid\r\nBcc: thief@evil.example", "Paid\nX: y", "Paid\rX: y"])
async def test_a_line_break_in_the_subject_is_refused(world: World, port: int, subject: str) -> None:
    error = await failure(mailer(port), subject=subject)
    assert isinstance(error, InvalidRequest)
    assert world.documents.all(MESSAGES) == []


@pytest.mark.parametrize("message_id", ["a\r\nBcc: x@y.example", "a b", "mjumbe–1"])
async def test_a_message_id_that_cannot_stand_in_a_header_is_refused(port: int, message_id: str) -> None:
    assert isinstance(await failure(mailer(port), message_id=message_id), InvalidRequest)


@pytest.mark.parametrize(
    "address",
    ["", "wanjiru", "@lender.example", "wanjiru@", "a@b", "a@b.example, c@d.example", "a@b.example\r\nRCPT TO:<c@d.ke>",
     "Wanjiru <a@b.example>", "wanjirú@lender.example", "a b@c.example"],
)  # fmt: skip
async def test_what_is_not_one_plain_address_is_refused_without_being_quoted(port: int, address: str) -> None:
    error = await failure(mailer(port), to=address)
    assert error.code == "invalid_email"
    assert not address or address not in str(error)


async def test_a_refused_recipient_is_rejected_and_not_named(world: World, port: int) -> None:
    fault(world, "reject_recipient")
    error = await failure(mailer(port))
    assert isinstance(error, Rejected)
    assert error.extra == {"smtp_code": "550"}
    assert TO not in str(error)
    assert error.__cause__ is None, "the server's text repeats the address and would travel with the cause"
    assert world.documents.all(MESSAGES) == []


async def test_a_full_mailbox_for_now_is_transient(world: World, port: int) -> None:
    fault(world, "reject_recipient", reply="452 4.2.2 mailbox full")
    assert isinstance(await failure(mailer(port)), Busy)


async def test_a_4xx_after_data_is_transient_and_the_retry_arrives_once(world: World, port: int) -> None:
    fault(world, "transient")
    client = mailer(port)
    assert isinstance(await failure(client), Busy)
    await client.send(TO, "Paid", "The loan is paid.", message_id="ntf_1")
    assert len(world.documents.all(MESSAGES)) == 1


async def test_a_5xx_after_data_is_rejected(world: World, port: int) -> None:
    fault(world, "transient", reply="554 5.7.1 spam")
    error = await failure(mailer(port))
    assert type(error) is Rejected
    assert error.extra == {"smtp_code": "554"}


@pytest.mark.parametrize("taken", [True, False])
async def test_a_disconnect_after_data_is_unknown_since_it_may_have_been_taken(
    world: World, port: int, taken: bool
) -> None:
    fault(world, "disconnect", taken=taken)
    assert isinstance(await failure(mailer(port)), NoAnswer)
    assert len(world.documents.all(MESSAGES)) == int(taken)


async def test_nobody_listening_is_not_sent() -> None:
    assert isinstance(await failure(mailer(free_port())), NotReached)


async def test_a_disconnect_before_data_is_not_sent() -> None:
    async with raw_server(script("250 hello", "250 from")) as port:
        assert isinstance(await failure(mailer(port)), NotReached)


async def test_a_timeout_before_data_is_not_sent() -> None:
    async with raw_server(script("250 hello", "250 silence", silent_at="silence")) as port:
        assert isinstance(await failure(mailer(port, patience=0.3)), NotReached)


async def test_a_timeout_after_data_is_unknown() -> None:
    replies = ("250 hello", "250 from", "250 to", "354 go on", "after-data 250 silence")
    async with raw_server(script(*replies, silent_at="silence")) as port:
        assert isinstance(await failure(mailer(port, patience=0.3)), NoAnswer)


async def test_an_unreadable_reply_to_the_message_is_unknown() -> None:
    async with raw_server(script("250 hello", "250 from", "250 to", "354 go on", "after-data banana")) as port:
        assert isinstance(await failure(mailer(port)), Garbled)


async def test_a_message_that_was_taken_stays_taken_if_the_goodbye_fails() -> None:
    async with raw_server(script("250 hello", "250 from", "250 to", "354 go on", "after-data 250 taken")) as port:
        await mailer(port).send(TO, "Paid", "The loan is paid.", message_id="ntf_1")


async def test_a_busy_greeting_is_not_sent() -> None:
    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"421 4.3.2 too busy\r\n")
        await writer.drain()

    async with raw_server(busy) as port:
        assert isinstance(await failure(mailer(port)), Transient)


async def test_a_login_with_the_right_password_sends(world: World, port: int) -> None:
    await mailer(port, username="kivuko", password="local-demo").send(TO, "Paid", "It is paid.", message_id="ntf_1")
    assert len(world.documents.all(MESSAGES)) == 1


async def test_a_refused_login_is_not_allowed(world: World, port: int) -> None:
    client = mailer(port, username="kivuko", password="wrong")
    error = await failure(client)
    assert isinstance(error, NotAllowed)
    assert "wrong" not in str(error)
    with pytest.raises(NotAllowed):
        await client.check()
    assert world.documents.all(MESSAGES) == []


async def test_a_server_without_starttls_is_not_used_in_the_clear(world: World, port: int) -> None:
    error = await failure(mailer(port, tls="starttls"))
    assert error.code == "smtp_settings"
    assert world.documents.all(MESSAGES) == []


async def test_implicit_tls_to_a_plain_server_is_not_sent(world: World, port: int) -> None:
    assert isinstance(await failure(mailer(port, tls="implicit", patience=1)), NotReached)
    assert world.documents.all(MESSAGES) == []


async def test_check_connects_and_sends_nothing(world: World, port: int) -> None:
    await mailer(port).check()
    assert world.documents.all(MESSAGES) == []


async def test_check_of_a_dead_server_is_transient() -> None:
    with pytest.raises(Transient):
        await mailer(free_port()).check()


def test_a_sender_without_an_address_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        Smtp("127.0.0.1", 25, None, None, "none", "Kivuko")
