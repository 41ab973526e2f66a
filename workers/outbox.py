"""Sends what the outbox holds. A gateway that refuses or is down hands over to the next; nothing here touches money.

accepted                         sent; no gateway is asked again, unless its final report is a failure that another one
                                 may cure (notices/delivery.py)
refused, another may take it     the next gateway at once
refused anywhere                 failed
not sent                         the next gateway at once, then all again with backoff
no usable answer                 the next gateway, but only after a window in which a delivery report may tell that the
                                 first has it; an urgent message goes on at once and may come twice
past its `expires_at`            expired, without being sent

Each question to an SMS gateway is written down before it is asked: it asks nobody if a report has ended the message
meanwhile, and a process that dies leaves an unclear answer behind instead of a second SMS. The first question is written
with the lease, and answers that come close together are written together: a message then costs a part of two transactions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.clients.exchange_log import with_next_commit
from core.clock import utc_now
from core.crypto import CredentialBox
from core.errors import KivukoError, NotAllowed, Rejected, Throttled, Unknown
from core.msisdn import Msisdn
from models.tables.platform.traffic import Notification
from notices.tried import Tried
from providers.ports import EmailPort, SmsPort
from store.database import Database
from store.platform import outbox

log = structlog.get_logger()

# What became of a message that a gateway took, to be written with others' in one transaction.
Answer = Callable[[AsyncSession], Awaitable[None]]


class SmsSender(SmsPort, Protocol):
    """A gateway, and whether it tells what became of a message that it took."""

    reports_deliveries: bool


@dataclass(frozen=True, slots=True)
class Pace:
    """Every wait of the dispatcher. `lease` must outlast one try at every gateway."""

    batch: int = 20
    lease: timedelta = timedelta(seconds=90)
    look_every: timedelta = timedelta(
        seconds=1
    )  # unless the batch was full: a few messages at a time cost as many leases
    look_urgently_every: timedelta = timedelta(milliseconds=500)
    answers_within: timedelta = timedelta(milliseconds=50)  # of each other are written together
    unclear_window: timedelta = timedelta(minutes=5)
    backoff: timedelta = timedelta(seconds=5)  # doubled with every attempt
    longest_backoff: timedelta = timedelta(minutes=30)
    urgent_backoff: timedelta = timedelta(seconds=3)
    most_attempts: int = 8  # of a message that never expires


class Dispatcher:
    """One per worker process; any number may run."""

    def __init__(
        self,
        database: Database,
        sms: Sequence[SmsSender],
        email: EmailPort,
        *,
        sealer: CredentialBox,
        pace: Pace = Pace(),
    ) -> None:
        """`sms` in the order in which they are asked; `sealer` opens one-time codes."""
        self._database, self._sms, self._email = database, list(sms), email
        self._sealer, self._pace = sealer, pace

    async def run(self) -> None:
        """Until cancelled. Urgent messages have a loop of their own: a gateway that hangs on others does not hold them up."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._keep_sending(urgent=True))
            both.create_task(self._keep_sending(urgent=False))

    async def _keep_sending(self, *, urgent: bool) -> None:
        pace = self._pace
        pause = pace.look_urgently_every if urgent else pace.look_every
        while True:
            try:
                sent = await self.send_due(urgent=urgent)
            except SQLAlchemyError as error:
                log.warning("outbox_unreachable", error=type(error).__name__)
                sent = 0
            except Exception:
                # A bug met one message, whose lease brings it back. The other messages, and the sagas of this process,
                # go on.
                log.exception("outbox_turn_failed")
                sent = 0
            if sent < pace.batch:
                await asyncio.sleep(pause.total_seconds())

    async def send_due(self, *, urgent: bool | None = None) -> int:
        """One batch; returns how many messages it took up. `urgent` chooses which, None takes both kinds."""
        pace = self._pace
        async with self._database.transaction() as session:
            due = await outbox.lease(
                session, limit=pace.batch, lease_for=pace.lease, urgent=urgent, first_asked=self._sms[0].name
            )
        if due:
            async with with_next_commit(self._database):
                await self._send_all(due)
        return len(due)

    async def _send_all(self, due: Sequence[Notification]) -> None:
        """One message's trouble cuts off no other: what went wrong is raised when all have been sent."""
        troubles: list[BaseException] = []
        sending = {asyncio.create_task(self._send(message)) for message in due}
        try:
            while sending:
                done, sending = await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
                if sending:
                    more, sending = await asyncio.wait(sending, timeout=self._pace.answers_within.total_seconds())
                    done |= more
                troubles += [trouble for task in done if (trouble := task.exception()) is not None]
                await self._write([task.result() for task in done if task.exception() is None])
        finally:
            for task in sending:
                task.cancel()
        if troubles:
            raise troubles[0]

    async def _write(self, answers: Sequence[Answer | None]) -> None:
        given = [answer for answer in answers if answer is not None]
        if given:
            async with self._database.transaction() as session:
                for answer in given:
                    await answer(session)

    async def _send(self, message: Notification) -> Answer | None:
        """The answer of the gateway that took it; anything else is written down at once."""
        if _is_late(message):
            await self._end(message, "expired")
            return None
        try:
            text = self._sealer.open(message.text) if message.sealed else message.text
        except NotAllowed as error:
            await self._end(message, "failed", error, Tried())
            return None
        send = self._send_sms if message.channel == "sms" else self._send_email
        return await send(message, text)

    # ------------------------------------------------------------------------------------------------------------- SMS

    async def _send_sms(self, message: Notification, text: str) -> Answer | None:
        # At its first lease the only entry is the question that the lease wrote down for us to put now.
        tried = Tried.of(message.tried)
        if already_noted := message.attempts == 1 and tried == Tried().noted(self._sms[0].name, "asked"):
            tried = Tried()
        for lost in tried.gateways("asked"):
            tried = tried.noted(lost, "unclear")
            if not message.urgent:
                await self._later(message, self._pace.unclear_window, tried, None)
                return None
        error: KivukoError | None = None
        away = False
        left = [gateway for gateway in self._sms if not tried.has(gateway.name)]
        for gateway in left:
            if _is_late(message):
                await self._end(message, "expired", error, tried)
                return None
            asked = list(tried.noted(gateway.name, "asked").entries)
            if not already_noted and not await self._mark(message, tried=asked):
                return None  # a report came meanwhile: a gateway has it
            already_noted = False
            try:
                accepted = await gateway.send(Msisdn(message.recipient), text, reference=message.id)
            except Unknown as unclear:
                error, tried = unclear, tried.noted(gateway.name, "unclear")
                if not message.urgent and gateway is not left[-1]:
                    await self._later(message, self._pace.unclear_window, tried, unclear)
                    return None
            except Rejected as refused:
                error, tried = refused, tried.noted(gateway.name, "refused")
                if refused.extra.get("failover") == "no":
                    away = False
                    break
            except KivukoError as not_sent:
                error, away = not_sent, True
            else:
                return self._accepted(
                    message, tried, gateway=accepted.gateway, message_id=accepted.message_id,
                    cost=" + ".join(filter(None, (message.cost, accepted.cost))) or None,
                    delivery="awaited" if gateway.reports_deliveries and accepted.message_id else None,
                )  # fmt: skip
        if away:
            await self._again(message, tried, error)
        elif tried.gateways("unclear"):
            await self._end(message, "unclear", error, tried)
        elif error is None and tried.gateways("undelivered"):
            # Nobody is left to cure the failed delivery: it stays what it was, sent and not delivered.
            await self._end(message, "sent")
        else:
            await self._end(message, "failed", error, tried)
        return None

    @staticmethod
    def _accepted(message: Notification, tried: Tried, **values: Any) -> Answer:
        """In whatever state the message is by now: that it was sent outranks everything."""
        return partial(
            outbox.change, notification_id=message.id, state="sent", sent_at=utc_now(), tried=list(tried.entries),
            delivery_at=None, last_error=None, **values,
        )  # fmt: skip

    # ----------------------------------------------------------------------------------------------------------- email

    async def _send_email(self, message: Notification, text: str) -> Answer | None:
        try:
            await self._email.send(message.recipient, message.subject or "", text, message_id=message.id)
        except Rejected as refused:
            await self._end(message, "failed", refused)
        except KivukoError as error:
            # A stable Message-ID lets the receiver see that a repeated mail is the same one.
            await self._again(message, Tried(), error)
        else:
            return self._accepted(message, Tried(), gateway="smtp")
        return None

    # ----------------------------------------------------------------------------------------------------------- marks

    async def _again(self, message: Notification, tried: Tried, error: KivukoError | None) -> None:
        """Later, unless it was tried often enough; what expires is tried until then."""
        if message.expires_at is None and message.attempts >= self._pace.most_attempts:
            doubtful = isinstance(error, Unknown) or tried.gateways("unclear")
            await self._end(message, "unclear" if doubtful else "failed", error, tried)
            return
        wait = min(self._pace.backoff * 2**message.attempts, self._pace.longest_backoff)
        if message.urgent:
            wait = self._pace.urgent_backoff
        if isinstance(error, Throttled) and error.retry_after:
            wait = max(wait, error.retry_after)
        await self._later(message, wait, tried, error)

    async def _later(self, message: Notification, after: timedelta, tried: Tried, error: KivukoError | None) -> None:
        then = utc_now() + after
        if message.expires_at is not None:
            then = min(then, message.expires_at)  # where a code is wiped
        await self._mark(
            message, next_attempt_at=then, tried=list(tried.entries),
            last_error=_words(error, "the process that asked a gateway died before the answer was kept"),
        )  # fmt: skip

    async def _end(
        self, message: Notification, state: str, error: KivukoError | None = None, tried: Tried | None = None
    ) -> None:
        values: dict[str, Any] = {} if tried is None else {"tried": list(tried.entries)}
        if state != "sent":
            log.warning("message_not_sent", notification_id=message.id, event_name=message.event, state=state)
            values["last_error"] = _words(error, message.last_error or "no gateway is left")
        await self._mark(message, state=state, **values)

    async def _mark(self, message: Notification, **values: Any) -> bool:
        async with self._database.transaction() as session:
            return await outbox.mark(session, message.id, **values)


def _is_late(message: Notification) -> bool:
    return message.expires_at is not None and message.expires_at <= utc_now()


def _words(error: KivukoError | None, otherwise: str) -> str:
    return str(error)[:500] if error else otherwise
