"""How many must agree to which act, from which amount on, and how long it waits: data that an installation sets."""

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.base import table_of
from models.tables.platform.approval import ApprovalPolicy
from store.platform.approval_rules import EVERY_ACT


async def of_act(session: AsyncSession, act: str) -> list[ApprovalPolicy]:
    """The act's own, and those of every act, of which one always fits."""
    found = list(await session.exec(select(ApprovalPolicy).where(col(ApprovalPolicy.act).in_((act, EVERY_ACT)))))
    assert any(policy.act == EVERY_ACT and not policy.currency for policy in found), "the default policy was deleted"
    return found


async def page(session: AsyncSession) -> list[ApprovalPolicy]:
    """All of them, by act and threshold."""
    query = select(ApprovalPolicy).order_by(
        col(ApprovalPolicy.act), col(ApprovalPolicy.currency), col(ApprovalPolicy.from_minor)
    )
    return list(await session.exec(query))


async def put(
    session: AsyncSession,
    *,
    act: str,
    currency: str,
    from_minor: int,
    approvers: int,
    remind_after: list[int],
    escalate_after: int,
    expire_after: int,
) -> None:
    """Sets it, in place of one with the same act, currency and threshold."""
    values = {
        "approvers": approvers, "remind_after": remind_after, "escalate_after": escalate_after,
        "expire_after": expire_after, "updated_at": utc_now(),
    }  # fmt: skip
    await session.exec(
        insert(table_of(ApprovalPolicy))
        .values(act=act, currency=currency, from_minor=from_minor, **values)
        .on_conflict_do_update(index_elements=["act", "currency", "from_minor"], set_=values)
    )
