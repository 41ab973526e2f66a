"""What the commands that book money share: one attempt under one key, doubt, and the two corrections.

A failure is stored under its key and replayed for ever (fineract.md 9), so a corrected command goes out under a key of its
own, made from the first one and the same each time. Whoever sends a command re-reads the account after every doubt.
"""

from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from typing import Any, Final

from core.clock import local_date, utc_now
from core.errors import InvalidRequest, KivukoError, NoAnswer, NotAllowed, NotFound, NotReached, Transient
from providers.fineract.connection import FineractConnection
from providers.fineract.payment_types import PaymentTypes
from providers.fineract.refusals import FUTURE_DATE, PAYMENT_TYPE_GONE
from providers.fineract.wire import (
    DATE_FORMAT,
    LOCALE,
    MAX_EXTERNAL_ID,
    MAX_IDEMPOTENCY_KEY,
    MAX_NOTE,
    MAX_PAYMENT_TEXT,
    read_date,
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
    def __init__(self, connection: FineractConnection, payment_types: PaymentTypes) -> None:
        self._connection = connection
        self._payment_types = payment_types

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

    async def corrected(self, attempt: Attempt, error: KivukoError, payment_type: str) -> Attempt | None:
        """Another attempt, if this refusal is one that we can mend: a date ahead of the tenant's, a type that is gone."""
        if error.code == PAYMENT_TYPE_GONE and not attempt.retyped:
            self._payment_types.forget(payment_type)
            payment_type_id = await self._payment_types.id_of(payment_type)
            return replace(attempt, key=suffixed_key(attempt.key, f"pt{payment_type_id}"), retyped=True)
        if error.code == FUTURE_DATE and not attempt.redated:
            today = await self._business_date()
            # A replayed refusal is an old one: the date may have come since.
            if today < attempt.paid_on or error.extra.get("replayed") == "yes":
                day = min(today, attempt.paid_on)
                return replace(attempt, key=suffixed_key(attempt.key, spell_date(day)), paid_on=day, redated=True)
        return None

    async def _business_date(self) -> date:
        """The tenant's business date; where it keeps none, the calendar day in its zone (fineract.md 2)."""
        try:
            rows: Any = await self._connection.read("business_date.read", "/v1/businessdate")
        except (NotAllowed, NotFound):
            rows = []
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and row.get("type") == "BUSINESS_DATE":
                try:
                    day = read_date(row.get("date"))
                except ValueError:
                    break
                if day is not None:
                    return day
        return local_date(utc_now(), self._connection.credentials.timezone)


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
