"""Payout attempts: written before anything is sent, and the referee of who may send what."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.errors import Conflict, NoAnswer, Rejected
from core.recovery import RecoveryWindow, rows_may_be_missing
from models.messages.saga.payouts import PayoutInstruction, QueryPayout, SendPayout
from models.messages.saga.reports import Report
from models.tables.base import table_of
from models.tables.saga.payout_attempt import PayoutAttempt
from store.saga import saga_rows, search_terms

_ATTEMPTS = table_of(PayoutAttempt)
_MOST_REFERENCES = 10  # a narrative of thousands would cost as many questions
_REFERENCE = re.compile(r"(?<![0-9A-Za-z_-])pay_[0-9a-z]{26}-a\d+(?![0-9A-Za-z_-])", re.IGNORECASE)


def references_in(text: str) -> list[str]:
    """Every word of a narrative that has the form of our references."""
    return [found.lower() for found in _REFERENCE.findall(text)]


async def behind(session: AsyncSession, partner_id: str, narrative: str) -> PayoutAttempt | None:
    """The bank instruction of this partner whose reference a narrative holds as a whole word."""
    for reference in references_in(narrative)[:_MOST_REFERENCES]:
        attempt = await get(session, reference)
        if attempt is not None and belongs(attempt, provider="bank", partner_id=partner_id):
            return attempt
    return None


async def foreign_in(session: AsyncSession, partner_id: str, narrative: str) -> str | None:
    """The reference of another partner's instruction that a narrative holds."""
    for reference in references_in(narrative)[:_MOST_REFERENCES]:
        attempt = await get(session, reference)
        if attempt is not None and attempt.partner_id != partner_id:
            return reference
    return None


def _row(
    instruction: PayoutInstruction,
    reference: str,
    number: int,
    state: str,
    account: str,
    *,
    send_by: datetime | None = None,
    query_at: datetime | None = None,
) -> dict[str, Any]:
    now = utc_now()
    return {
        "reference": reference,
        "leg_id": instruction.leg_id,
        "number": number,
        "role": instruction.role,
        "part": instruction.part,
        "workflow_id": instruction.workflow_id,
        "partner_id": instruction.partner_id,
        "provider": instruction.provider,
        "account": account,
        "amount_minor": instruction.amount.minor,
        "currency": instruction.amount.currency,
        "kind": instruction.bank.kind if instruction.bank else "mobile",
        "msisdn": instruction.msisdn.e164 if instruction.msisdn else None,
        "destination": instruction.bank.account if instruction.bank else None,
        "state": state,
        "send_by": send_by,
        "next_query_at": query_at,
        "created_at": now,
        "updated_at": now,
    }


async def begin(
    session: AsyncSession,
    order: SendPayout,
    *,
    account: str,
    recovery: Sequence[RecoveryWindow] = (),
) -> PayoutAttempt | None:
    """Writes the attempt as `sending`; commit before you send. `account` is what pays: a short code, a bank account. A
    reference is sent a second time only if the first try is known not to have left (`not_sent`).

    Returns the row of a reference that is known to have been paid: a saga that was reset has forgotten it. Nothing may be
    sent then, nor if it raises: Rejected for one known to have failed (its own code; `retriable` "yes" if a later attempt
    was made), declared never sent ("never_sent"), or wanted by a saga that has ended ("already_ended"); NoAnswer for one
    that may have been sent ("already_sent"), whose row may have been lost in a restore ("row_lost"), or beside another
    attempt that may have been paid ("attempt_living").
    """
    instruction, reference = order.instruction, order.reference
    if await saga_rows.has_ended(session, instruction.workflow_id):
        return await _known_after_the_end(session, reference)
    if (previous := order.previous) is not None:
        await finish(session, previous.reference, "failed", code=previous.code, detail=previous.detail)
    lost = rows_may_be_missing(recovery, instruction.begun_at)
    row = _row(
        instruction, reference, order.number, "unknown" if lost else "sending", account, send_by=order.send_by,
        query_at=order.query_at,
    )  # fmt: skip
    made = await session.exec(insert(_ATTEMPTS).values(row).on_conflict_do_nothing().returning(_ATTEMPTS.c.reference))
    if made.first() is not None:
        await search_terms.write(session, PayoutAttempt, row)
        if lost:
            raise NoAnswer(
                "Our own record of it may have been lost in a restore; it may have been sent.", code="row_lost"
            )
        return None
    resumed = await session.exec(
        update(_ATTEMPTS)
        .where(_ATTEMPTS.c.reference == reference, _ATTEMPTS.c.state == "not_sent")
        .values(state="sending", send_by=order.send_by, next_query_at=order.query_at, updated_at=utc_now())
        .returning(_ATTEMPTS.c.reference)
    )
    if resumed.first() is not None:
        return None
    return await _known(session, reference)


async def _known_after_the_end(session: AsyncSession, reference: str) -> PayoutAttempt:
    """A saga that was reset after its end has forgotten that it ended unpaid, and that another may have paid since."""
    existing = await get(session, reference)
    if existing is None or existing.state == "not_sent":
        raise Rejected("The saga has ended; nothing more is sent for it.", code="already_ended", retriable="no")
    return await _known(session, reference)


async def _known(session: AsyncSession, reference: str) -> PayoutAttempt:
    """What our rows say of a reference that is not to be sent; see `begin`."""
    existing = await get(session, reference)
    if existing is None:
        raise NoAnswer("Another attempt of this payment may have been paid.", code="attempt_living")
    if existing.state == "paid":
        return existing
    if existing.state == "void":
        raise Rejected("This reference was declared never sent.", code="never_sent", retriable="yes")
    if existing.state == "failed":
        later = await session.exec(
            select(PayoutAttempt.reference).where(
                PayoutAttempt.leg_id == existing.leg_id, PayoutAttempt.number > existing.number
            )
        )
        raise Rejected(
            existing.detail or "It is known to have failed.",
            code=existing.code or "failed",
            retriable="no" if later.first() is None else "yes",
        )
    raise NoAnswer("This reference may already have been sent.", code="already_sent")


async def mark(session: AsyncSession, reference: str, state: str, **values: Any) -> None:
    """What the send itself told us. A report that came first knows better, so only a `sending` row is changed."""
    await session.exec(
        update(_ATTEMPTS)
        .where(_ATTEMPTS.c.reference == reference, _ATTEMPTS.c.state == "sending")
        .values(state=state, updated_at=utc_now(), **values)
    )


async def finish(session: AsyncSession, reference: str, state: str, **values: Any) -> None:
    """The outcome, as the saga decided it: `paid` or `failed`. A `void` fence stays. What was never sent ends as
    `failed` too: a saga that was reset after its end must not send it after all.

    Raises Conflict (code "receipt_taken") for a receipt that another payment from the same account has: one receipt is
    one movement of money, and which of the two it was nobody may guess."""
    if (receipt := values.get("receipt")) is not None:
        taken = await _holder(session, reference, receipt)
        if taken is not None:
            raise Conflict(f"The receipt {receipt} is that of {taken} already.", code="receipt_taken", holder=taken)
    await session.exec(
        update(_ATTEMPTS)
        .where(_ATTEMPTS.c.reference == reference, _ATTEMPTS.c.state != "void")
        .values(state=state, updated_at=utc_now(), **values)
    )


async def close_unpaid(session: AsyncSession, reference: str, *, code: str, detail: str) -> None:
    """People agreed that it was not paid. What is known of it by other ways stays as it is."""
    await session.exec(
        update(_ATTEMPTS)
        .where(_ATTEMPTS.c.reference == reference, _ATTEMPTS.c.state.in_(("sending", "accepted", "unknown")))
        .values(state="failed", code=code, detail=detail, updated_at=utc_now())
    )


async def _holder(session: AsyncSession, reference: str, receipt: str) -> str | None:
    """The other attempt from the same account at the same provider that has this receipt."""
    mine = select(PayoutAttempt.provider, PayoutAttempt.account).where(PayoutAttempt.reference == reference).subquery()
    found = await session.exec(
        select(PayoutAttempt.reference)
        .join(mine, (col(PayoutAttempt.provider) == mine.c.provider) & (col(PayoutAttempt.account) == mine.c.account))
        .where(PayoutAttempt.receipt == receipt, PayoutAttempt.reference != reference)
    )
    return found.first()


async def with_own_receipt(session: AsyncSession, report: Report) -> Report:
    """The report as it may be believed: one that names the receipt of another payment from the same account proves nothing
    of this one, and is `unclear` with the code "receipt_taken"."""
    if report.state != "paid" or report.receipt is None or report.reference is None:
        return report
    holder = await _holder(session, report.reference, report.receipt)
    if holder is None:
        return report
    detail = f"It is reported as paid with the receipt {report.receipt}, which is that of {holder} already."
    return report.model_copy(update={"state": "unclear", "code": "receipt_taken", "detail": detail, "receipt": None})


async def fence(
    session: AsyncSession, order: QueryPayout, *, account: str, recovery: Sequence[RecoveryWindow] = ()
) -> bool:
    """Declares a reference never sent if no row of it exists; True if it did so now or before. A sending activity that
    was believed dead and wakes up later is then refused by `begin`.

    Of a time whose rows may have been lost in a restore, a missing row proves nothing: it is written down as unknown.
    Raises NoAnswer ("attempt_living") beside another attempt that may have been paid."""
    instruction, reference = order.instruction, order.reference
    if await get(session, reference) is None and await _another_lives(session, instruction):
        raise NoAnswer("Another attempt of this payment may have been paid.", code="attempt_living")
    state = "unknown" if rows_may_be_missing(recovery, instruction.begun_at) else "void"
    values = _row(instruction, reference, order.number, state, account)
    made = await session.exec(
        insert(_ATTEMPTS)
        .values(values)
        .on_conflict_do_nothing(index_elements=["reference"])
        .returning(_ATTEMPTS.c.reference)
    )
    if made.first() is not None:
        await search_terms.write(session, PayoutAttempt, values)
    row = await get(session, reference)
    return row is not None and row.state == "void"


async def query_next(session: AsyncSession, reference: str, again_at: datetime | None) -> None:
    """When its status is asked the next time. What is known of it stays as it is, and as old as it is."""
    await session.exec(update(_ATTEMPTS).where(_ATTEMPTS.c.reference == reference).values(next_query_at=again_at))


async def _another_lives(session: AsyncSession, instruction: PayoutInstruction) -> bool:
    """Whether another attempt of the same part of the same saga's payment is not known to have failed."""
    found = await session.exec(
        select(PayoutAttempt.reference).where(
            PayoutAttempt.workflow_id == instruction.workflow_id,
            PayoutAttempt.role == instruction.role,
            PayoutAttempt.part == instruction.part,
            col(PayoutAttempt.state).not_in(("failed", "void")),
        )
    )
    return found.first() is not None


async def get(session: AsyncSession, reference: str) -> PayoutAttempt | None:
    return (
        await session.exec(
            select(PayoutAttempt).where(PayoutAttempt.reference == reference).execution_options(populate_existing=True)
        )
    ).first()


def belongs(
    attempt: PayoutAttempt, *, provider: str, partner_id: str | None = None, workflow_id: str | None = None
) -> bool:
    """Whether whoever speaks of an attempt is the one by whom it was sent: by provider, and by partner or saga where the
    channel says which. A reference alone is no proof, since others read it too."""
    return (
        attempt.provider == provider
        and partner_id in (None, attempt.partner_id)
        and workflow_id in (None, attempt.workflow_id)
    )


async def of_workflow(session: AsyncSession, workflow_id: str) -> list[PayoutAttempt]:
    found = await session.exec(
        select(PayoutAttempt)
        .where(PayoutAttempt.workflow_id == workflow_id)
        .order_by(col(PayoutAttempt.created_at), col(PayoutAttempt.number))
    )
    return list(found)
