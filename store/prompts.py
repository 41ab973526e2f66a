"""Prompts to payers: written before they are sent, and the referee of who may send what."""

from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.errors import NoAnswer, Rejected
from models.messages.collections import PromptInstruction
from models.tables.base import table_of
from models.tables.collections import Prompt

_PROMPTS = table_of(Prompt)


def _row(instruction: PromptInstruction, reference: str, state: str) -> dict[str, Any]:
    now = utc_now()
    return {
        "reference": reference, "leg_id": instruction.leg_id, "workflow_id": instruction.workflow_id,
        "partner_id": instruction.partner_id, "provider": instruction.provider, "amount_minor": instruction.amount.minor,
        "currency": instruction.amount.currency, "msisdn": instruction.msisdn.e164,
        "payer_reference": instruction.payer_reference, "state": state, "created_at": now, "updated_at": now,
    }  # fmt: skip


async def begin(session: AsyncSession, instruction: PromptInstruction, reference: str) -> None:
    """Writes the prompt as `sending`; commit before you send. It is sent a second time only if the first try is known not
    to have left.

    Nothing may be sent if it raises: Rejected (code "fenced"), NoAnswer ("already_sent", "prompt_living").
    """
    made = await session.exec(
        insert(_PROMPTS)
        .values(_row(instruction, reference, "sending"))
        .on_conflict_do_nothing()
        .returning(_PROMPTS.c.reference)
    )
    if made.first() is not None:
        return
    resumed = await session.exec(
        update(_PROMPTS)
        .where(_PROMPTS.c.reference == reference, _PROMPTS.c.state == "not_sent")
        .values(state="sending", updated_at=utc_now())
        .returning(_PROMPTS.c.reference)
    )
    if resumed.first() is not None:
        return
    existing = await get(session, reference)
    if existing is None:
        raise NoAnswer("Another prompt of this payment is not known to have failed.", code="prompt_living")
    if existing.state == "void":
        raise Rejected("This prompt was declared never sent.", code="fenced")
    raise NoAnswer("This prompt may already have been sent.", code="already_sent")


async def mark(session: AsyncSession, reference: str, state: str, **values: Any) -> None:
    """What the send itself told us. A report that came first knows better, so only a `sending` row is changed."""
    await session.exec(
        update(_PROMPTS)
        .where(_PROMPTS.c.reference == reference, _PROMPTS.c.state == "sending")
        .values(state=state, updated_at=utc_now(), **values)
    )


async def finish(session: AsyncSession, leg_id: str, state: str, **values: Any) -> None:
    """The outcome, as the saga decided it. A fence stays."""
    await session.exec(
        update(_PROMPTS)
        .where(_PROMPTS.c.leg_id == leg_id, _PROMPTS.c.state != "void")
        .values(state=state, updated_at=utc_now(), **values)
    )


async def close_unpaid(session: AsyncSession, reference: str, *, code: str, detail: str) -> None:
    """People agreed that it was not paid. What is known of it by other ways stays as it is."""
    await session.exec(
        update(_PROMPTS)
        .where(_PROMPTS.c.reference == reference, _PROMPTS.c.state.in_(("sending", "asked", "unknown")))
        .values(state="failed", code=code, detail=detail, updated_at=utc_now())
    )


async def fence(session: AsyncSession, instruction: PromptInstruction, reference: str) -> bool:
    """Declares a prompt never sent if no row of it exists; True if it did so now or before."""
    await session.exec(
        insert(_PROMPTS)
        .values(_row(instruction, reference, "void"))
        .on_conflict_do_nothing(index_elements=["reference"])
    )
    row = await get(session, reference)
    return row is not None and row.state == "void"


async def get(session: AsyncSession, reference: str) -> Prompt | None:
    found = await session.exec(
        select(Prompt).where(Prompt.reference == reference).execution_options(populate_existing=True)
    )
    return found.first()
