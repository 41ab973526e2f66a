"""Email by SMTP (sms_email.md 4). SMTP has no idempotency: a stable Message-ID lets the receiver's side drop a repeat.

    until DATA starts      connect, TLS, timeout, 4xx → Transient      5xx → Rejected
    from DATA on           4xx → Transient, 5xx → Rejected             no or unreadable reply → Unknown

No detail quotes the server's text, since that repeats the address.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from typing import Literal

import aiosmtplib

from core.clock import utc_now
from core.errors import Busy, Garbled, InvalidRequest, KivukoError, NoAnswer, NotAllowed, NotReached, Rejected
from providers.sms import require_text

# Seven bits, because not every server on the way takes eight.
_POLICY = SMTP_POLICY.clone(cte_type="7bit")


class Smtp:
    """Implements EmailPort: one connection per message, plain text, one recipient."""

    name = "smtp"

    def __init__(
        self,
        host: str,
        port: int,
        username: str | None,
        password: str | None,
        tls: Literal["none", "starttls", "implicit"],
        sender: str,
        *,
        timeout: timedelta = timedelta(seconds=30),
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        """`sender` is "Name <address>"; `timeout` bounds each step; `tls_context` None trusts the public roots.

        Raises InvalidRequest if `sender` holds no address.
        """
        self._sender, self._sender_address = sender, _address(parseaddr(sender)[1], "sender")
        self._domain = self._sender_address.rpartition("@")[2]
        self._host, self._port, self._tls, self._tls_context = host, port, tls, tls_context
        self._username, self._password = username, password
        self._timeout = timeout.total_seconds()

    async def send(self, to: str, subject: str, text: str, *, message_id: str) -> None:
        """Returns when the server has taken the message. `message_id` must be the same in every attempt of one
        message; without a domain it gets the sender's.

        Raises InvalidRequest for an address, a subject or an id that cannot stand in a header, else as the module says.
        """
        require_text(text)
        address = _address(to, "to")
        content = self._compose(address, subject, text, message_id).as_bytes()
        async with self._connected() as server:
            try:
                await server.mail(self._sender_address)
                await server.rcpt(address)
            except (aiosmtplib.SMTPException, OSError) as error:
                raise _before_data(error) from None
            try:
                await server.data(content)
            except (aiosmtplib.SMTPException, OSError) as error:
                raise _during_data(error) from None

    async def check(self) -> None:
        """Connects and logs in. Raises NotAllowed for refused credentials, Transient if the server cannot be used."""
        async with self._connected() as server:
            try:
                await server.noop()
            except (aiosmtplib.SMTPException, OSError) as error:
                raise _before_data(error) from None

    def _compose(self, to: str, subject: str, text: str, message_id: str) -> EmailMessage:
        bare = message_id.strip("<>")
        message = EmailMessage(policy=_POLICY)
        try:
            message["From"] = self._sender
            message["To"] = to
            message["Subject"] = subject
            message["Message-ID"] = f"<{bare}>" if "@" in bare else f"<{bare}@{self._domain}>"
            message["Date"] = format_datetime(utc_now())
            message["Auto-Submitted"] = "auto-generated"
        except ValueError:
            # EmailMessage refuses CR and LF in a header: they would begin a header of the attacker's choice.
            raise InvalidRequest("A header of the email would hold a line break.", field="subject") from None
        if any(char.isspace() or not char.isascii() for char in bare):
            raise InvalidRequest("A Message-ID is ASCII without spaces.", field="message_id")
        message.set_content(text)
        return message

    async def _start_tls(self, server: aiosmtplib.SMTP) -> None:
        await server.ehlo()
        if not server.supports_extension("starttls"):
            raise aiosmtplib.SMTPNotSupported("STARTTLS")
        await server.starttls(tls_context=self._tls_context)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        server = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            local_hostname=self._domain,  # the default asks the resolver for our own name
            timeout=self._timeout,
            use_tls=self._tls == "implicit",
            start_tls=False,  # done below, where a server without it can be told from one that is out of reach
            tls_context=self._tls_context if self._tls == "implicit" else None,
        )
        try:
            try:
                await server.connect()
                if self._tls == "starttls":
                    await self._start_tls(server)
                if self._username:
                    await server.login(self._username, self._password or "")
            except (aiosmtplib.SMTPException, OSError) as error:
                raise _before_data(error) from None
            yield server
            # What follows the 250 of DATA cannot change that the message was taken.
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await server.quit()
        finally:
            server.close()


def _before_data(error: Exception) -> KivukoError:
    """Nothing was handed over yet."""
    if isinstance(error, aiosmtplib.SMTPAuthenticationError) and error.code >= 500:
        return NotAllowed("The mail server refused our credentials.", smtp_code=str(error.code))
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return NotAllowed("The mail server lacks the TLS or the login that the settings ask for.", code="smtp_settings")
    answered = _answered(error)
    return answered or NotReached(f"The mail server could not be reached ({type(error).__name__}).")


def _during_data(error: Exception) -> KivukoError:
    """The content may have left: only an answer with a code says that it was not taken."""
    if answered := _answered(error):
        return answered
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return Garbled("The mail server's reply to the message cannot be read.")
    return NoAnswer(f"The mail server did not say whether it took the message ({type(error).__name__}).")


def _answered(error: Exception) -> KivukoError | None:
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        return None
    if 400 <= error.code < 500:
        return Busy(f"The mail server said later ({error.code}).", smtp_code=str(error.code))
    if 500 <= error.code < 600 and not isinstance(error, aiosmtplib.SMTPConnectError):
        return Rejected(
            f"The mail server refused the message ({error.code}).", code="email_refused", smtp_code=str(error.code)
        )
    return None


def _address(text: str, field: str) -> str:
    """A single plain address. Raises InvalidRequest, without quoting it."""
    wrong = InvalidRequest("The email address is missing or not valid.", code="invalid_email", field=field)
    try:
        parsed = Address(addr_spec=text)
    except (ValueError, IndexError, MessageError):  # headerregistry raises all three for bad specs
        raise wrong from None
    if not parsed.username or "." not in parsed.domain or not text.isascii() or any(char.isspace() for char in text):
        raise wrong
    return text
