"""Prompts to payers: written before they are sent, and the referee of who may send what."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.errors import NoAnswer, Rejected
from core.ids import PROMPT
from core.money import Money
from core.msisdn import Msisdn
from core.recovery import RecoveryWindow, rows_may_be_missing
from models.messages.saga.prompts import PromptInstruction, QueryPrompt, SendPrompt
from models.providers import RailName
from models.tables.base import table_of
from models.tables.saga.prompt import Prompt
from models.tables.saga.saga_row import SagaRow
from store.saga import saga_rows, search_terms

_PROMPTS = table_of(Prompt)


def instruction(
    row: SagaRow,
    msisdn: str | None,
    payer_reference: str | None,
    amount: Money,
    provider: RailName,
    description: str,
) -> PromptInstruction:
    """What a saga that begins with a prompt is given. The leg's id follows from the row's, so that a second start could
    only repeat the same prompt."""
    assert msisdn is not None
    assert payer_reference is not None
    return PromptInstruction(
        leg_id=f"{PROMPT}_{row.id.partition('_')[2]}",
        partner_id=row.partner_id,
        workflow_id=row.workflow_id,
        provider=provider,
        msisdn=Msisdn(msisdn),
        amount=amount,
        payer_reference=payer_reference,
        description=description,
    )


def _row(
    instruction: PromptInstruction,
    reference: str,
    state: str,
    *,
    send_by: datetime | None = None,
    query_at: datetime | None = None,
) -> dict[str, Any]:
    now = utc_now()
    return {
        "reference": reference, "leg_id": instruction.leg_id, "workflow_id": instruction.workflow_id,
        "partner_id": instruction.partner_id, "provider": instruction.provider, "amount_minor": instruction.amount.minor,
        "currency": instruction.amount.currency, "msisdn": instruction.msisdn.e164,
        "payer_reference": instruction.payer_reference, "state": state, "send_by": send_by,
        "next_query_at": query_at, "created_at": now, "updated_at": now,
    }  # fmt: skip


async def begin(session: AsyncSession, order: SendPrompt, *, recovery: Sequence[RecoveryWindow] = ()) -> None:
    """Writes the prompt as `sending`; commit before you send. It is sent a second time only if the first try is known not
    to have left.

    Nothing may be sent if it raises: Rejected (code "fenced", or "already_ended" for a saga that was reset after its end),
    NoAnswer ("already_sent", "prompt_living", or "row_lost" where its row may have been lost in a restore).
    """
    instruction, reference = order.instruction, order.reference
    if await saga_rows.has_ended(session, instruction.workflow_id):
        raise Rejected("The saga has ended; nobody is asked for it any more.", code="already_ended")
    lost = rows_may_be_missing(recovery, order.begun_at)
    state = "unknown" if lost else "sending"
    row = _row(instruction, reference, state, send_by=order.send_by, query_at=order.query_at)
    made = await session.exec(insert(_PROMPTS).values(row).on_conflict_do_nothing().returning(_PROMPTS.c.reference))
    if made.first() is not None:
        await search_terms.write(session, Prompt, row)
        if lost:
            raise NoAnswer(
                "Our own record of it may have been lost in a restore; it may have been sent.", code="row_lost"
            )
        return
    resumed = await session.exec(
        update(_PROMPTS)
        .where(_PROMPTS.c.reference == reference, _PROMPTS.c.state == "not_sent")
        .values(state="sending", send_by=order.send_by, next_query_at=order.query_at, updated_at=utc_now())
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


async def fence(session: AsyncSession, order: QueryPrompt, *, recovery: Sequence[RecoveryWindow] = ()) -> bool:
    """Declares a prompt never sent if no row of it exists; True if it did so now or before. Of a time whose rows may have
    been lost in a restore, a missing row proves nothing: it is written down as unknown."""
    instruction, reference = order.instruction, order.reference
    state = "unknown" if rows_may_be_missing(recovery, order.begun_at) else "void"
    values = _row(instruction, reference, state)
    made = await session.exec(
        insert(_PROMPTS)
        .values(values)
        .on_conflict_do_nothing(index_elements=["reference"])
        .returning(_PROMPTS.c.reference)
    )
    if made.first() is not None:
        await search_terms.write(session, Prompt, values)
    row = await get(session, reference)
    return row is not None and row.state == "void"


async def query_next(session: AsyncSession, reference: str, again_at: datetime | None) -> None:
    """When its status is asked the next time. What is known of it stays as it is, and as old as it is."""
    await session.exec(update(_PROMPTS).where(_PROMPTS.c.reference == reference).values(next_query_at=again_at))


async def get(session: AsyncSession, reference: str) -> Prompt | None:
    found = await session.exec(
        select(Prompt).where(Prompt.reference == reference).execution_options(populate_existing=True)
    )
    return found.first()
