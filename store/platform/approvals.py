"""Requests for approval: made, answered, ended. The one way in which anything that needs two people gets them.

Every answer locks its request, so that of an approval and a rejection that race one wins and the other hears who did.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import and_, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import ANSWER, APPROVAL, new_id
from core.money import Money
from models.tables.base import table_of
from models.tables.platform.approval import ApprovalDecision, ApprovalRequest
from store.platform import approval_policies, approval_rules, people
from store.platform.approval_rules import Answer, Answerer

_REQUESTS: Final = table_of(ApprovalRequest)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for. `barred`: all who stand behind the credential that asks; `beneficiaries`: people who would
    profit or who set where the money goes. `request_id` makes asking again the same request."""

    act: str
    scope: str
    subject: str
    content: dict[str, Any]
    evidence: str
    requested_by: str
    requested_via: str
    barred: Sequence[str]
    partner_id: str | None = None
    workflow_id: str | None = None
    amount: Money | None = None
    beneficiaries: Sequence[str] = ()
    house_only: bool = False
    request_id: str = field(default_factory=lambda: new_id(APPROVAL))


async def ask(session: AsyncSession, asked: Asked) -> tuple[ApprovalRequest, bool]:
    """The open request of this act on this subject, and whether it was made now: there is one at a time."""
    await _expire(session, asked.act, asked.subject)
    minor, currency = (asked.amount.minor, asked.amount.currency) if asked.amount else (None, None)
    policies = await approval_policies.of_act(session, asked.act)
    patience = approval_rules.applying(policies, asked.act, minor, currency)[0]
    now = utc_now()
    made = await session.exec(
        insert(_REQUESTS)
        .values(
            id=asked.request_id, act=asked.act, scope=asked.scope, house_only=asked.house_only,
            subject=asked.subject, partner_id=asked.partner_id,
            workflow_id=asked.workflow_id, content=asked.content,
            version=approval_rules.version_of(asked.content, minor, currency), amount_minor=minor, currency=currency,
            evidence=asked.evidence, requested_by=asked.requested_by, requested_via=asked.requested_via,
            barred=sorted({asked.requested_by, *asked.barred}), beneficiaries=sorted(set(asked.beneficiaries)),
            approvers=max(1, approval_rules.needed(policies, asked.act, minor, currency)), state="open", created_at=now,
            expires_at=now + timedelta(seconds=patience.expire_after),
        )
        .on_conflict_do_nothing()
        .returning(_REQUESTS.c.id)
    )  # fmt: skip
    is_new = made.first() is not None
    found = await open_of(session, asked.act, asked.subject) or await get(session, asked.request_id)
    assert found is not None
    return found, is_new


async def needed(session: AsyncSession, act: str, amount: Money) -> int:
    """How many others must agree to this act with this amount now; 0: it may be done alone."""
    policies = await approval_policies.of_act(session, act)
    return approval_rules.needed(policies, act, amount.minor, amount.currency)


async def open_of(session: AsyncSession, act: str, subject: str) -> ApprovalRequest | None:
    found = await session.exec(
        select(ApprovalRequest).where(
            ApprovalRequest.act == act, ApprovalRequest.subject == subject, ApprovalRequest.state == "open"
        )
    )
    return found.first()


async def last_of_workflow(session: AsyncSession, workflow_id: str) -> ApprovalRequest | None:
    """The newest that this saga asked for, open or not; locked."""
    found = await session.exec(
        select(ApprovalRequest)
        .where(ApprovalRequest.workflow_id == workflow_id)
        .order_by(col(ApprovalRequest.created_at).desc())
        .limit(1)
        .with_for_update()
    )
    return found.first()


async def open_of_workflow(session: AsyncSession, workflow_id: str) -> ApprovalRequest | None:
    """What this saga waits for people to agree to; locked."""
    found = await session.exec(
        select(ApprovalRequest)
        .where(ApprovalRequest.workflow_id == workflow_id, ApprovalRequest.state == "open")
        .with_for_update()
    )
    return found.first()


async def get(session: AsyncSession, request_id: str, *, for_update: bool = False) -> ApprovalRequest | None:
    query = select(ApprovalRequest).where(ApprovalRequest.id == request_id)
    if for_update:
        # Not from the session's memory: it may have been answered since.
        query = query.with_for_update().execution_options(populate_existing=True)
    return (await session.exec(query)).first()


async def answers(session: AsyncSession, request_id: str) -> list[ApprovalDecision]:
    """Oldest first, of every version."""
    query = select(ApprovalDecision).where(ApprovalDecision.request_id == request_id).order_by(col(ApprovalDecision.id))
    return list(await session.exec(query))


async def answers_of(session: AsyncSession, request_ids: Sequence[str]) -> dict[str, list[ApprovalDecision]]:
    """The same for many at once."""
    query = select(ApprovalDecision).where(col(ApprovalDecision.request_id).in_(request_ids))
    found: dict[str, list[ApprovalDecision]] = {request_id: [] for request_id in request_ids}
    for row in await session.exec(query.order_by(col(ApprovalDecision.id))):
        found[row.request_id].append(row)
    return found


async def answers_about(session: AsyncSession, workflow_id: str) -> list[ApprovalDecision]:
    """Every answer that was given about one saga, oldest first."""
    asked = select(ApprovalRequest.id).where(ApprovalRequest.workflow_id == workflow_id)
    query = select(ApprovalDecision).where(col(ApprovalDecision.request_id).in_(asked))
    return list(await session.exec(query.order_by(col(ApprovalDecision.id))))


async def barred_from(session: AsyncSession, request_id: str) -> frozenset[str]:
    """The people who cannot approve this request: who asked, who would profit, who approved it already."""
    request = await get(session, request_id)
    if request is None:
        return frozenset()
    given = await answers(session, request_id)
    return frozenset({*request.barred, *request.beneficiaries, *(one for said in given for one in said.people)})


async def answer(
    session: AsyncSession,
    row: ApprovalRequest,
    who: Answerer,
    decision: Answer,
    *,
    reason: str | None = None,
    version: str | None = None,
) -> ApprovalDecision:
    """Writes one person's answer and what follows from it into the row, which the caller has locked. One rejection ends it;
    an approval does once enough different people gave theirs, by the stricter of what was needed when it was asked for and
    what is needed now. A rejection by those who asked withdraws it.

    Raises Conflict: see `approval_rules.must_be_open`, `must_be_version` and `may_approve`.
    """
    now = utc_now()
    so_far = await answers(session, row.id)
    approval_rules.must_be_open(row, now, await people.names(session, [one.person_id for one in so_far]))
    approval_rules.must_be_version(row, version)
    approved = approval_rules.approvals(so_far, row.version)
    if decision == "approve":
        approval_rules.may_approve(row, who, approved)
    made = ApprovalDecision(
        id=new_id(ANSWER), request_id=row.id, version=row.version, person_id=who.person_id,
        on_behalf_of=who.on_behalf_of, people=sorted(who.people), via=who.via, channel=who.channel, decision=decision,
        reason=reason, created_at=now,
    )  # fmt: skip
    session.add(made)
    if decision == "reject":
        own = not who.everybody.isdisjoint(row.barred)
        end(row, "cancelled" if own else "rejected", note=reason, now=now)
    else:
        policies = await approval_policies.of_act(session, row.act)
        needed = approval_rules.needed(policies, row.act, row.amount_minor, row.currency)
        if len(approved) + 1 >= max(row.approvers, needed):
            end(row, "approved", note=reason, now=now)
    session.add(row)
    await session.flush()
    return made


def end(row: ApprovalRequest, state: str, *, note: str | None = None, now: datetime | None = None) -> None:
    """The row is locked and added by the caller."""
    row.state, row.ended_at, row.note = state, now or utc_now(), note


async def end_of_workflow(session: AsyncSession, workflow_id: str, state: str) -> None:
    """What a saga had asked for is void: it has gone on, or ended. The saga knows."""
    now = utc_now()
    await session.exec(
        update(_REQUESTS)
        .where(_REQUESTS.c.workflow_id == workflow_id, _REQUESTS.c.state == "open")
        .values(state=state, ended_at=now, told_at=now)
    )


async def told(session: AsyncSession, request_id: str) -> None:
    """The saga has taken what became of its request."""
    await session.exec(
        update(_REQUESTS).where(_REQUESTS.c.id == request_id, _REQUESTS.c.told_at.is_(None)).values(told_at=utc_now())
    )


async def untold(session: AsyncSession, *, before: datetime, limit: int) -> list[ApprovalRequest]:
    """Ended requests whose saga has not taken it: the process that should have told it died, or Temporal was away."""
    query = (
        select(ApprovalRequest)
        .where(
            col(ApprovalRequest.workflow_id).is_not(None),
            col(ApprovalRequest.told_at).is_(None),
            ApprovalRequest.state != "open",
            col(ApprovalRequest.ended_at) < before,
        )
        .order_by(col(ApprovalRequest.ended_at))
        .limit(limit)
    )
    return list(await session.exec(query))


async def expire_due(session: AsyncSession, *, limit: int) -> list[ApprovalRequest]:
    """Those whose time is over, now expired; locked."""
    now = utc_now()
    query = (
        select(ApprovalRequest)
        .where(ApprovalRequest.state == "open", col(ApprovalRequest.expires_at) <= now)
        .order_by(col(ApprovalRequest.expires_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = list(await session.exec(query))
    for row in rows:
        end(row, "expired", now=now)
        session.add(row)
    await session.flush()
    return rows


async def waiting(session: AsyncSession, *, limit: int) -> list[ApprovalRequest]:
    """Open ones, the oldest first; locked, those of another care left out."""
    query = (
        select(ApprovalRequest)
        .where(ApprovalRequest.state == "open", col(ApprovalRequest.expires_at) > utc_now())
        .order_by(col(ApprovalRequest.created_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(await session.exec(query))


async def _expire(session: AsyncSession, act: str, subject: str) -> None:
    now = utc_now()
    await session.exec(
        update(_REQUESTS)
        .where(
            _REQUESTS.c.act == act,
            _REQUESTS.c.subject == subject,
            _REQUESTS.c.state == "open",
            _REQUESTS.c.expires_at <= now,
        )
        .values(state="expired", ended_at=now)
    )


async def page(
    session: AsyncSession,
    *,
    partner_id: str | None = None,
    state: str | None = None,
    acts: Sequence[str],
    without: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[ApprovalRequest]:
    """Newest first. One whose time is over counts as expired, whether or not anybody has written that down. `without` leaves
    out what this person asked for or would profit from."""
    now = utc_now()
    query = select(ApprovalRequest).where(col(ApprovalRequest.act).in_(acts))
    if partner_id:
        query = query.where(ApprovalRequest.partner_id == partner_id)
    if state == "open":
        query = query.where(ApprovalRequest.state == "open", col(ApprovalRequest.expires_at) > now)
    elif state == "expired":
        over = and_(col(ApprovalRequest.state) == "open", col(ApprovalRequest.expires_at) <= now)
        query = query.where(or_(col(ApprovalRequest.state) == "expired", over))
    elif state:
        query = query.where(ApprovalRequest.state == state)
    if without:
        own = or_(_REQUESTS.c.barred.contains([without]), _REQUESTS.c.beneficiaries.contains([without]))
        query = query.where(~own)
    if before:
        query = query.where(col(ApprovalRequest.id) < before)
    return list(await session.exec(query.order_by(col(ApprovalRequest.id).desc()).limit(limit)))
