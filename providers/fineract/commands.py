"""What the commands that book money share: the date, one attempt under one key, doubt, and the two corrections.

A failure is stored under its key and replayed for ever (fineract.md 9), so a corrected command goes out under a key of its
own, made from the first one and the same each time. Whoever sends a command re-reads the account after every doubt.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from core.clock import local_date
from core.errors import InvalidRequest, KivukoError, NoAnswer, NotReached, Transient
from providers.fineract.calendar import BankCalendar, date_to_post, next_open_day
from providers.fineract.calendar_reading import Calendars, no_allowed_date
from providers.fineract.connection import FineractConnection
from providers.fineract.payment_types import PaymentTypes
from providers.fineract.refusals import CLOSED_DAY, FUTURE_DATE, PAYMENT_TYPE_GONE, TOO_EARLY
from providers.fineract.wire import (
    DATE_FORMAT,
    LOCALE,
    MAX_EXTERNAL_ID,
    MAX_IDEMPOTENCY_KEY,
    MAX_NOTE,
    MAX_PAYMENT_TEXT,
    spell_date,
)
from providers.http import Answer

_LIMITS: Final = {
    "idempotency_key": MAX_IDEMPOTENCY_KEY,
    "receipt": MAX_PAYMENT_TEXT,
    "account": MAX_PAYMENT_TEXT,
    "payer": MAX_PAYMENT_TEXT,
    "external_id": MAX_EXTERNAL_ID,
    "note": MAX_NOTE,
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One command. Each of the two corrections is made at most once."""

    key: str
    paid_on: date
    redated: bool = False
    retyped: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """No plain "booked" came back; `error` is what that means if our transaction is not on the account."""

    error: KivukoError
    said_booked: bool = False  # a fresh 200 that only lacks the transaction's id (old servers)


class MoneyCommands:
    def __init__(self, connection: FineractConnection, payment_types: PaymentTypes, calendars: Calendars) -> None:
        self._connection = connection
        self._payment_types = payment_types
        self._calendars = calendars

    def calendar_day(self, moment: datetime) -> date:
        """The day of `moment` in the bank's zone, whatever may be booked on it."""
        return local_date(moment, self._connection.credentials.timezone)

    async def day_of(self, moment: datetime, not_before: date | None) -> date:
        """The day to book for `moment`, on the bank's calendar. Raises Transient (code "no_allowed_date") if none is
        allowed now: then nothing is sent, since the refusal would only be stored."""
        calendar = await self._calendars.read()
        day = date_to_post(moment, calendar, not_before)
        if day is None:
            raise no_allowed_date(calendar, not_before)
        return day

    async def send(
        self,
        operation: str,
        path: str,
        command: str,
        attempt: Attempt,
        *,
        date_field: str,
        payment_type: str,
        fields: dict[str, Any],
        reference: str,
    ) -> Answer | Doubt:
        """One POST under the attempt's key, with its date and the payment type beside `fields`.

        `fields` must be what every version knows: any other is refused with 400 (fineract.md 2). Raises Transient if
        nothing was sent by this call.
        """
        try:
            payment_type_id = await self._payment_types.id_of(payment_type)
        except Transient:
            raise
        except KivukoError as error:
            return Doubt(error)
        body = {
            "dateFormat": DATE_FORMAT,
            "locale": LOCALE,
            date_field: spell_date(attempt.paid_on),
            "paymentTypeId": payment_type_id,
        }
        try:
            return await self._connection.send(
                operation,
                path,
                body | fields,
                effect="money",
                params={"command": command},
                idempotency_key=attempt.key,
                reference=reference,
            )
        except NotReached:
            raise  # the command never left
        except NoAnswer as error:
            return Doubt(error)

    async def corrected(
        self, attempt: Attempt, error: KivukoError, payment_type: str, *, not_before: date | None
    ) -> Attempt | None:
        """Another attempt, if this refusal is one that we can mend: a date that the bank does not take, a type that is
        gone. `not_before` as it was read after the refusal.

        Raises Transient (code "no_allowed_date") if the date is refused and no other may be given now.
        """
        if error.code == PAYMENT_TYPE_GONE and not attempt.retyped:
            self._payment_types.forget(payment_type)
            payment_type_id = await self._payment_types.id_of(payment_type)
            return replace(attempt, key=suffixed_key(attempt.key, f"pt{payment_type_id}"), retyped=True)
        if error.code not in {FUTURE_DATE, *TOO_EARLY, *CLOSED_DAY}:
            return None
        calendar = await self._calendars.read(fresh=True)
        # A replayed refusal is an old one: the same date may be right by now.
        replayed = error.extra.get("replayed") == "yes"
        day = None if attempt.redated else _another_day(attempt.paid_on, error.code, calendar, not_before, replayed)
        if day is None:
            raise no_allowed_date(calendar, not_before, refused=True)
        return replace(attempt, key=suffixed_key(attempt.key, spell_date(day)), paid_on=day, redated=True)


def _another_day(
    refused: date, code: str, calendar: BankCalendar, not_before: date | None, replayed: bool
) -> date | None:
    """The day to try after this one was refused; None if there is none."""
    if code == FUTURE_DATE:
        day = min(calendar.today, refused)
        # No zone is a day away from another: a bank whose calendar is behind the one that we were told has yesterday.
        if day == refused and not replayed:
            day -= timedelta(days=1)
        return None if not_before is not None and day < not_before else day
    if code in CLOSED_DAY:
        return next_open_day(calendar, refused + timedelta(days=1), calendar.today)
    # Too early: the first day that the account's own dates allow, else the bank's today, which no rule finds too early.
    later = not_before if not_before is not None and refused < not_before <= calendar.today else calendar.today
    return later if later > refused or (replayed and later == refused) else None


def not_verified(noun: str, cause: str, reread: KivukoError) -> NoAnswer:
    """Even a refused re-read leaves us not knowing: an earlier call may have booked it. `cause` is why we re-read."""
    return NoAnswer(
        f"Fineract did not say plainly whether the {noun} is booked, and the account could not be re-read.",
        code="not_verified",
        cause=cause,
        reread=reread.code,
    )


def suffixed_key(key: str, suffix: str) -> str:
    """Another key made from this one, the same each time and within the server's 50 characters."""
    plain = f"{key}/{suffix}"
    if len(plain) <= MAX_IDEMPOTENCY_KEY:
        return plain
    return f"{key[:17]}~{sha256(plain.encode()).hexdigest()[:32]}"


def refuse_too_long(**texts: str) -> None:
    """By our names of the fields. Raises InvalidRequest for what the server's columns cannot carry."""
    for name, text in texts.items():
        if len(text) > _LIMITS[name]:
            detail = f"Fineract takes at most {_LIMITS[name]} characters here."
            raise InvalidRequest(detail, code="too_long", field=name)
