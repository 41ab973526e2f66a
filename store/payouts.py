"""Payout attempts: written before anything is sent, and the referee of who may send what."""

import re
from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.errors import NoAnswer, Rejected
from models.messages.payouts import PayoutInstruction, PreviousFailure
from models.tables.base import table_of
from models.tables.disbursements import PayoutAttempt

_ATTEMPTS = table_of(PayoutAttempt)
_REFERENCE = re.compile(r"(?<![0-9A-Za-z_-])pay_[0-9a-z]{26}-a\d+(?![0-9A-Za-z_-])", re.IGNORECASE)


def references_in(text: str) -> list[str]:
    """Every word of a narrative that has the form of our references."""
    return [found.lower() for found in _REFERENCE.findall(text)]


async def behind(session: AsyncSession, partner_id: str, narrative: str) -> PayoutAttempt | None:
    """The bank instruction of this partner whose reference a narrative holds as a whole word."""
    for reference in references_in(narrative):
        attempt = await get(session, reference)
        if attempt is not None and attempt.partner_id == partner_id and attempt.provider == "bank":
            return attempt
    return None


def _row(instruction: PayoutInstruction, reference: str, number: int, state: str) -> dict[str, Any]:
    now = utc_now()
    return {
        "reference": reference,
        "leg_id": instruction.leg_id,
        "number": number,
        "workflow_id": instruction.workflow_id,
        "partner_id": instruction.partner_id,
        "provider": instruction.provider,
        "amount_minor": instruction.amount.minor,
        "currency": instruction.amount.currency,
        "kind": instruction.bank.kind if instruction.bank else "mobile",
        "msisdn": instruction.msisdn.e164 if instruction.msisdn else None,
        "destination": instruction.bank.account if instruction.bank else None,
        "state": state,
        "created_at": now,
        "updated_at": now,
    }


async def begin(
    session: AsyncSession,
    instruction: PayoutInstruction,
    reference: str,
    number: int,
    previous: PreviousFailure | None,
) -> None:
    """Writes the attempt as `sending`; commit before you send. A reference is sent a second time only if the first try
    is known not to have left (`not_sent`).

    Nothing may be sent if it raises: Rejected (code "fenced") for a reference that was declared never sent; NoAnswer for
    one that may have been sent ("already_sent") or whose predecessor may have been paid ("attempt_living").
    """
    if previous is not None:
        await finish(session, previous.reference, "failed", code=previous.code, detail=previous.detail)
    made = await session.exec(
        insert(_ATTEMPTS)
        .values(_row(instruction, reference, number, "sending"))
        .on_conflict_do_nothing()
        .returning(_ATTEMPTS.c.reference)
    )
    if made.first() is not None:
        return
    resumed = await session.exec(
        update(_ATTEMPTS)
        .where(_ATTEMPTS.c.reference == reference, _ATTEMPTS.c.state == "not_sent")
        .values(state="sending", updated_at=utc_now())
        .returning(_ATTEMPTS.c.reference)
    )
    if resumed.first() is not None:
        return
    existing = await session.get(PayoutAttempt, reference)
    if existing is None:
        raise NoAnswer("Another attempt of this payout is not known to have failed.", code="attempt_living")
    if existing.state == "void":
        raise Rejected("This reference was declared never sent.", code="fenced")
    raise NoAnswer("This reference may already have been sent.", code="already_sent")


async def mark(session: AsyncSession, reference: str, state: str, **values: Any) -> None:
    """What the send itself told us. A report that came first knows better, so only a `sending` row is changed."""
    await session.exec(
        update(_ATTEMPTS)
        .where(_ATTEMPTS.c.reference == reference, _ATTEMPTS.c.state == "sending")
        .values(state=state, updated_at=utc_now(), **values)
    )


async def finish(session: AsyncSession, reference: str, state: str, **values: Any) -> None:
    """The outcome, as the saga decided it: `paid` or `failed`. A `void` fence stays."""
    await session.exec(
        update(_ATTEMPTS)
        .where(_ATTEMPTS.c.reference == reference, _ATTEMPTS.c.state != "void")
        .values(state=state, updated_at=utc_now(), **values)
    )


async def fence(session: AsyncSession, instruction: PayoutInstruction, reference: str, number: int) -> bool:
    """Declares a reference never sent if no row of it exists; True if it did so now or before. A sending activity that
    was believed dead and wakes up later is then refused by `begin`."""
    await session.exec(
        insert(_ATTEMPTS)
        .values(_row(instruction, reference, number, "void"))
        .on_conflict_do_nothing(index_elements=["reference"])
    )
    row = await get(session, reference)
    return row is not None and row.state == "void"


async def get(session: AsyncSession, reference: str) -> PayoutAttempt | None:
    return (
        await session.exec(
            select(PayoutAttempt).where(PayoutAttempt.reference == reference).execution_options(populate_existing=True)
        )
    ).first()


async def of_workflow(session: AsyncSession, workflow_id: str) -> list[PayoutAttempt]:
    found = await session.exec(
        select(PayoutAttempt)
        .where(PayoutAttempt.workflow_id == workflow_id)
        .order_by(col(PayoutAttempt.created_at), col(PayoutAttempt.number))
    )
    return list(found)
