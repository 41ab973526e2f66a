"""A mail server that keeps what it is sent (sms_email.md 4).

Fault `smtp.send`, drawn once per recipient: `reject_recipient` (550 at RCPT, or options.reply), `transient` (451 after
DATA, or options.reply), `disconnect` (hangs up after DATA without a word; the message is kept unless options.taken is
false). Fact to match: `to`. A login is not needed; where one is tried, the password must be the API key of the demo.
"""

import asyncio
import email
from collections.abc import Callable
from email.policy import default
from typing import Any, TypeVar

from simulators.messages import API_KEY, keep_message
from simulators.world import World

SEND = "smtp.send"
_Result = TypeVar("_Result")


class MailSink:
    """`start` and `stop` are quick and may be called on a running event loop; the server has a thread of its own.

    The world belongs to the loop on which `start` was called, so it is read and written there.
    """

    def __init__(self, world: World, host: str, port: int) -> None:
        """`port` must be a real one: aiosmtpd cannot start on port 0."""
        self._world, self._host, self._port = world, host, port
        self._controller: Any = None
        self._home: asyncio.AbstractEventLoop | None = None
        world.faults.declare(SEND, "reject_recipient", "transient", "disconnect")

    def start(self) -> None:
        # Here and not above: aiosmtpd belongs to the optional local stack.
        from aiosmtpd.controller import Controller
        from aiosmtpd.smtp import AuthResult

        def login(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> Any:
            # handled=False lets aiosmtpd write the refusal; its default would leave the client without an answer.
            return AuthResult(success=getattr(given, "password", None) == API_KEY.encode(), handled=False)

        try:
            self._home = asyncio.get_running_loop()
        except RuntimeError:
            self._home = None
        controller = Controller(
            self,
            hostname=self._host,
            port=self._port,
            server_hostname="mail.kivuko.example",
            authenticator=login,
            auth_require_tls=False,
        )
        controller.start()
        self._controller = controller

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_RCPT(  # noqa: N802 aiosmtpd looks hooks up by this name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.fault = await self._at_home(lambda: self._world.faults.next(SEND, to=address))
        if envelope.fault and envelope.fault.action == "reject_recipient":
            return str(envelope.fault.options.get("reply", f"550 5.1.1 <{address}> no such user"))
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        fault = getattr(envelope, "fault", None)
        if fault and fault.action == "transient":
            return str(fault.options.get("reply", "451 4.3.0 try again later"))
        if fault is None or fault.options.get("taken", True):
            await self._at_home(lambda: self._keep(envelope.rcpt_tos, envelope.content))
        if fault and fault.action == "disconnect":
            server.transport.abort()
            await asyncio.sleep(1)  # aiosmtpd cancels this as soon as it sees that the connection is gone
        return "250 OK"

    def _keep(self, recipients: list[str], content: bytes) -> None:
        message = email.message_from_bytes(content, policy=default)
        body = message.get_body(("plain",))
        text = str(body.get_content()) if body is not None else ""
        for recipient in recipients:
            keep_message(
                self._world,
                channel="email",
                gateway="smtp",
                to=recipient,
                subject=str(message["Subject"] or ""),
                # As it was written: SMTP's line ends and its closing line break belong to the envelope.
                text=text.replace("\r\n", "\n").removesuffix("\n"),
                message_id=str(message["Message-ID"] or ""),
                reference=str(message["Message-ID"] or ""),
            )

    async def _at_home(self, work: Callable[[], _Result]) -> _Result:
        if self._home is None:
            return work()

        async def run() -> _Result:
            return work()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self._home))
