"""What was sent to a provider and whose outcome nobody has told: payouts and prompts in one list."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Select, Text, cast, func, literal, null, or_, select, tuple_, union_all
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from core.money import Money
from core.msisdn import Msisdn
from models import kinds
from models.tables.base import table_of
from models.tables.saga.case import Case
from models.tables.saga.payout_attempt import PayoutAttempt
from models.tables.saga.prompt import Prompt

_ATTEMPTS, _PROMPTS, _CASES = table_of(PayoutAttempt), table_of(Prompt), table_of(Case)

# It may have left, and nothing final is known of it.
UNKNOWN_PAYOUTS: Final = ("sending", "accepted", "unknown")
UNKNOWN_PROMPTS: Final = ("sending", "asked", "unknown")

_COLUMNS: Final = (
    "reference", "provider", "provider_reference", "state", "partner_id", "workflow_id", "amount_minor", "currency",
    "msisdn", "created_at", "updated_at",
)  # fmt: skip
_PAYOUTS_SENT: Final = select(
    literal("payout").label("kind"), *(_ATTEMPTS.c[name] for name in _COLUMNS), _ATTEMPTS.c.destination
)
_PROMPTS_SENT: Final = select(
    literal("prompt").label("kind"), *(_PROMPTS.c[name] for name in _COLUMNS), cast(null(), Text).label("destination")
)


@dataclass(frozen=True, slots=True)
class Sent:
    """One instruction to a provider. `since` is when its state last changed; `to` is safe to show."""

    kind: Literal["payout", "prompt"]
    reference: str
    provider: str
    provider_reference: str | None
    state: str
    partner_id: str
    workflow_id: str
    amount: Money
    to: str
    sent_at: datetime
    since: datetime

    @property
    def unknown(self) -> bool:
        return self.state in (UNKNOWN_PAYOUTS if self.kind == "payout" else UNKNOWN_PROMPTS)


@dataclass(frozen=True, slots=True)
class UnknownOutcome:
    """One of these with the saga that waits for it, and the case that is open about the saga, if one is."""

    sent: Sent
    saga_id: str
    stage: str
    case_id: str | None


async def page(
    session: AsyncSession,
    *,
    before: datetime,
    partner_id: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> list[UnknownOutcome]:
    """Unknown since `before` or longer, oldest first; `after` is the last row's reference on the page before. Sagas that
    have ended know the outcome, so only the living ones are looked through."""
    sent = union_all(
        _PAYOUTS_SENT.where(_ATTEMPTS.c.state.in_(UNKNOWN_PAYOUTS)),
        _PROMPTS_SENT.where(_PROMPTS.c.state.in_(UNKNOWN_PROMPTS)),
    ).subquery()
    living = union_all(
        *(
            select(table.c.workflow_id, table.c.id.label("saga_id"), table.c.stage).where(table.c.ended_at.is_(None))
            for table in (table_of(kind.row_class) for kind in kinds.KINDS)
        )
    ).subquery()
    case_id = (
        select(_CASES.c.id)
        .where(_CASES.c.workflow_id == sent.c.workflow_id, _CASES.c.state == "open")
        .order_by(_CASES.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    place = tuple_(sent.c.created_at, sent.c.reference.collate("C"))
    query: Select[Any] = (
        select(sent, living.c.saga_id, living.c.stage, case_id.label("case_id"))
        .join(living, living.c.workflow_id == sent.c.workflow_id)
        .where(sent.c.updated_at <= before)
        .order_by(sent.c.created_at, sent.c.reference.collate("C"))
        .limit(limit)
    )
    if partner_id:
        query = query.where(sent.c.partner_id == partner_id)
    if after:
        query = query.where(place > tuple_(_sent_at(after), literal(after, Text)))
    rows = await (await session.connection()).execute(query)
    return [UnknownOutcome(_sent(row), row.saga_id, row.stage, row.case_id) for row in rows]


def _sent_at(reference: str) -> Any:
    """When this reference was sent, as a part of a statement."""
    made = [select(c.created_at).where(c.reference == reference).scalar_subquery() for c in (_ATTEMPTS.c, _PROMPTS.c)]
    return func.coalesce(*made)


async def named(session: AsyncSession, references: Collection[str]) -> dict[str, list[Sent]]:
    """What was sent under each of these references, which may be ours or the provider's; a provider's may be found more
    than once, since each provider counts for itself."""
    found: dict[str, list[Sent]] = defaultdict(list)
    wanted = set(references)
    for query, c in ((_PAYOUTS_SENT, _ATTEMPTS.c), (_PROMPTS_SENT, _PROMPTS.c)):
        rows = await (await session.connection()).execute(
            query.where(or_(c.reference.in_(wanted), c.provider_reference.in_(wanted)))
        )
        for row in rows:
            for name in wanted & {row.reference, row.provider_reference}:
                found[name].append(_sent(row))
    return found


async def last_payouts(session: AsyncSession, workflow_ids: Collection[str]) -> dict[str, str]:
    """The reference of each saga's last payout attempt: the one that a person's decision is taken to be about."""
    rows = await session.exec(
        select(PayoutAttempt.workflow_id, PayoutAttempt.reference)  # type: ignore[call-overload]
        .where(col(PayoutAttempt.workflow_id).in_(workflow_ids))
        .order_by(col(PayoutAttempt.created_at), col(PayoutAttempt.number))
    )
    return dict(rows.all())


def _sent(row: Any) -> Sent:
    to = Msisdn(row.msisdn).masked if row.msisdn else str(row.destination or "-")
    return Sent(
        kind=row.kind,
        reference=row.reference,
        provider=row.provider,
        provider_reference=row.provider_reference,
        state=row.state,
        partner_id=row.partner_id,
        workflow_id=row.workflow_id,
        amount=Money(row.amount_minor, row.currency),
        to=to,
        sent_at=row.created_at,
        since=row.updated_at,
    )
