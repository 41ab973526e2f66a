"""What a page about one saga shows beside its row: the prompts to its payer, its newest code, the payment that it took."""

from typing import TypeVar

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.saga.one_time_code import OneTimeCode
from models.tables.saga.prompt import Prompt
from models.tables.saga.saga_row import SagaRow

R = TypeVar("R", bound=SagaRow)


async def row(session: AsyncSession, model: type[R], row_id: str) -> R | None:
    return await session.get(model, row_id)


async def prompts(session: AsyncSession, workflow_id: str) -> list[Prompt]:
    """Oldest first."""
    query = select(Prompt).where(Prompt.workflow_id == workflow_id).order_by(col(Prompt.created_at))
    return list(await session.exec(query))


async def newest_code(session: AsyncSession, subject: str) -> OneTimeCode | None:
    query = select(OneTimeCode).where(OneTimeCode.subject == subject).order_by(col(OneTimeCode.number).desc()).limit(1)
    return (await session.exec(query)).first()


async def payment(session: AsyncSession, incoming_id: str | None) -> IncomingPayment | None:
    return None if incoming_id is None else await session.get(IncomingPayment, incoming_id)
