"""Sends what the outbox holds. A gateway that refuses or is down hands over to the next; nothing here touches money.

accepted                         sent
refused, another may take it     the next gateway at once
refused anywhere                 failed
not sent                         the next gateway at once, then all again with backoff
no usable answer                 the next gateway, but only after a window: the first may have sent it
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core.clock import utc_now
from core.errors import KivukoError, Rejected, Unknown
from core.msisdn import Msisdn
from models.tables.traffic import Notification
from providers.ports import EmailPort, SmsPort
from store import outbox
from store.database import Database

log = structlog.get_logger()

_BATCH = 20
_LEASE = timedelta(seconds=90)
_IDLE = 0.5  # seconds between looks when there was nothing to send
_UNCLEAR_WINDOW = timedelta(minutes=5)
_MOST_ATTEMPTS = 8


class Dispatcher:
    """One per worker process; any number may run."""

    def __init__(self, database: Database, sms: Sequence[SmsPort], email: EmailPort) -> None:
        self._database, self._sms, self._email = database, list(sms), email

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                sent = await self.send_due()
            except SQLAlchemyError as error:
                log.warning("outbox_unreachable", error=type(error).__name__)
                sent = 0
            if not sent:
                await asyncio.sleep(_IDLE)

    async def send_due(self) -> int:
        """One batch; returns how many messages it took up."""
        async with self._database.transaction() as session:
            due = await outbox.lease(session, limit=_BATCH, lease_for=_LEASE)
        await asyncio.gather(*(self._send(message) for message in due))
        return len(due)

    async def _send(self, message: Notification) -> None:
        values = await (self._send_sms(message) if message.channel == "sms" else self._send_email(message))
        async with self._database.transaction() as session:
            await outbox.mark(session, message.id, **values)

    async def _send_sms(self, message: Notification) -> dict[str, Any]:
        tried = list(message.tried)
        error: KivukoError | None = None
        for gateway in [g for g in self._sms if g.name not in tried]:
            try:
                accepted = await gateway.send(Msisdn(message.recipient), message.text, reference=message.id)
            except Unknown as unclear:
                return self._again(message, unclear, after=_UNCLEAR_WINDOW, tried=[*tried, gateway.name])
            except Rejected as refused:
                error = refused
                if refused.extra.get("failover") == "no":
                    break
                tried.append(gateway.name)
            except KivukoError as not_sent:
                error = not_sent
            else:
                return {
                    "state": "sent", "gateway": accepted.gateway, "message_id": accepted.message_id,
                    "sent_at": utc_now(), "tried": tried, "last_error": None,
                }  # fmt: skip
        if isinstance(error, Rejected) or error is None:
            return self._give_up(message, error, tried)
        return self._again(message, error, after=self._backoff(message), tried=tried)

    async def _send_email(self, message: Notification) -> dict[str, Any]:
        try:
            await self._email.send(message.recipient, message.subject or "", message.text, message_id=message.id)
        except Rejected as refused:
            return self._give_up(message, refused, [])
        except KivukoError as error:
            # A stable Message-ID lets the receiver see that a repeated mail is the same one.
            return self._again(message, error, after=self._backoff(message), tried=[])
        return {"state": "sent", "gateway": "smtp", "sent_at": utc_now(), "last_error": None}

    def _again(
        self, message: Notification, error: KivukoError, *, after: timedelta, tried: list[str]
    ) -> dict[str, Any]:
        if message.attempts >= _MOST_ATTEMPTS or (isinstance(error, Unknown) and len(tried) >= len(self._sms) > 0):
            state = "unclear" if isinstance(error, Unknown) else "failed"
            return {"state": state, "tried": tried, "last_error": str(error)[:500]}
        return {"next_attempt_at": utc_now() + after, "tried": tried, "last_error": str(error)[:500]}

    @staticmethod
    def _give_up(message: Notification, error: KivukoError | None, tried: list[str]) -> dict[str, Any]:
        log.warning("message_not_sent", notification_id=message.id, event_name=message.event)
        return {"state": "failed", "tried": tried, "last_error": str(error)[:500] if error else "every gateway refused"}

    @staticmethod
    def _backoff(message: Notification) -> timedelta:
        return timedelta(seconds=min(5 * 2**message.attempts, 1800))
