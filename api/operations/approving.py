"""What needs more than one person: one asks, others approve, and only then it happens. One mechanism for every act.

Time never approves: a request that is not answered expires, and nothing happens. An answer is a row, written in the
transaction that checked the person; a saga that waits for it is told afterwards, and told again by the sweep if that fails.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.service import RPCError

from api.http.auth import Principal
from api.http.dependencies import Services
from api.operations.acts import Act, Afterwards, all_acts
from api.saga import commands
from core.clock import utc_now
from core.errors import Conflict, InvalidRequest, KivukoError, NotAllowed, NotFound
from core.money import Money
from models.messages.saga.approvals import Decide
from models.messages.saga.decisions import CommandTaken
from models.tables.platform.approval import ApprovalDecision, ApprovalRequest
from store.platform import approval_codes, approval_policies, approval_rules, approvals, approvers, audit, people
from store.platform.approval_rules import Answer, Answerer, Channel
from store.platform.approvals import Asked
from store.saga import saga_rows

log = structlog.get_logger()

_Reply = TypeVar("_Reply")
_REASON_MISSING: Final = "Say why it must not happen."


@dataclass(frozen=True, slots=True)
class Answered:
    """A request after an answer; `taken` is what its saga said, `afterwards` what is to be done now that it is committed."""

    request: ApprovalRequest
    afterwards: Afterwards | None = None
    taken: CommandTaken | None = None


async def propose(
    session: AsyncSession,
    principal: Principal,
    act_name: str,
    *,
    subject: str,
    partner_id: str | None,
    content: dict[str, Any],
    evidence: str | None,
    amount: Money | None = None,
    beneficiaries: Sequence[str] = (),
) -> ApprovalRequest:
    """The open request, made and recorded unless there is one.

    Raises NotAllowed without the act's scope, InvalidRequest (code "evidence_missing") if nobody said why, Conflict (code
    "no_eligible_approver") where nobody could ever approve it.
    """
    act = all_acts()[act_name]
    if not act.open_to(principal):
        raise NotAllowed(f"The key lacks the scope {act.scope}.", code="scope_missing", scope=act.scope)
    there = await approvals.open_of(session, act_name, subject)
    if evidence is None and there is not None and there.expires_at > utc_now():
        return there
    if evidence is None:
        raise InvalidRequest("Say what it rests on; a second person must agree.", code="evidence_missing",
                             field="evidence")  # fmt: skip
    await somebody_could(session, act, partner_id, principal.people, beneficiaries)
    row, is_new = await approvals.ask(
        session,
        Asked(
            act=act_name, scope=act.scope, house_only=act.house_only,
            subject=subject, partner_id=partner_id, content=content, amount=amount, evidence=evidence,
            requested_by=principal.person_id, requested_via=principal.id, barred=sorted(principal.people),
            beneficiaries=beneficiaries,
        ),
    )  # fmt: skip
    if is_new:
        await audit.write(session, actor=principal.id, action="approvals.ask", subject=row.id, after=plain(row))
    return row


async def somebody_could(
    session: AsyncSession,
    act: Act,
    partner_id: str | None,
    asking: frozenset[str],
    beneficiaries: Sequence[str] = (),
) -> None:
    """Raises Conflict (code "no_eligible_approver"): found out now and not when the deadline has passed."""
    found = await approvers.eligible(
        session, scope=act.scope, partner_id=partner_id, barred=[*asking, *beneficiaries], house_only=act.house_only
    )
    if not found:
        raise Conflict(
            f"Nobody else could agree to this: another person needs the scope {act.scope}.",
            code="no_eligible_approver", scope=act.scope,
        )  # fmt: skip


async def find(
    session: AsyncSession, principal: Principal, request_id: str, *, for_update: bool = False
) -> ApprovalRequest:
    """Raises NotFound, for another partner's too, and for an act that this credential may not answer."""
    row = await approvals.get(session, request_id, for_update=for_update)
    act = all_acts().get(row.act) if row else None
    if row is None or act is None or not principal.sees(row.partner_id) or not act.open_to(principal):
        raise NotFound("No request for approval has that id.", field="request_id")
    return row


async def answerer(
    session: AsyncSession, principal: Principal, row: ApprovalRequest, as_person: str | None, channel: Channel
) -> Answerer:
    """Who answers: the principal, or the one who delegated to them.

    Raises NotAllowed (code "no_delegation") if nobody lets them, or the other could not answer either.
    """
    if as_person is None or as_person == principal.person_id:
        return Answerer(principal.person_id, principal.people, principal.id, channel)
    act = all_acts()[row.act]
    scopes, of_house = await approvers.scopes_of(session, as_person)
    could = not scopes.isdisjoint({act.scope, "admin"}) and (of_house or not act.house_only)
    if await approvers.delegation(session, from_person=as_person, to_person=principal.person_id) is None or not could:
        raise NotAllowed("That person has not delegated this to you.", code="no_delegation", field="as_person")
    return Answerer(principal.person_id, principal.people, principal.id, channel, on_behalf_of=as_person)


async def answer(
    session: AsyncSession,
    services: Services,
    principal: Principal,
    request_id: str,
    decision: Answer,
    *,
    reason: str | None,
    version: str | None = None,
    as_person: str | None = None,
    channel: Channel = "api",
) -> Answered:
    """One person's answer, recorded, with what follows from it in the same transaction. Give its `afterwards` and the saga's
    telling (`tell`) their turn once it is committed.

    Raises NotFound; InvalidRequest (code "reason_missing"); Conflict ("already_decided", "expired", "stale_version",
    "four_eyes", "is_beneficiary") and what the act does, in which case the request stays open.
    """
    if decision == "reject" and not (reason or "").strip():
        raise InvalidRequest(_REASON_MISSING, code="reason_missing", field="reason")
    row = await find(session, principal, request_id, for_update=True)
    before = plain(row)
    who = await answerer(session, principal, row, as_person, channel)
    await approvals.answer(session, row, who, decision, reason=reason, version=version)
    act = all_acts()[row.act]
    afterwards = None
    if row.state == "approved" and act.carry_out is not None:
        afterwards = await act.carry_out(session, services, row)
    if row.state in ("rejected", "cancelled") and act.drop is not None:
        await act.drop(session, row)
    await audit.write(
        session, actor=principal.id, action=f"approvals.{decision}", subject=row.id, before=before, after=plain(row)
    )
    return Answered(row, afterwards)


async def answer_and_tell(
    services: Services,
    principal: Principal,
    request_id: str,
    decision: Answer,
    *,
    reason: str | None,
    version: str | None,
    as_person: str | None,
    channel: Channel,
    reply: Callable[[AsyncSession, ApprovalRequest], Awaitable[_Reply]],
) -> _Reply:
    """`answer`, and once that is committed what follows from it; a saga that cannot be told is told by the sweep. `reply` is
    made in the answer's own transaction. Raises as `answer` does."""
    try:
        async with services.database.transaction() as session:
            done = await answer(
                session, services, principal, request_id, decision,
                reason=reason, version=version, as_person=as_person, channel=channel,
            )  # fmt: skip
            replied = await reply(session, done.request)
            (given,) = (await approvals.answers(session, request_id))[-1:]
    except Conflict as refused:
        if refused.code == "already_decided":
            await _tell_again(services, request_id)
        raise
    if done.afterwards is not None:
        await done.afterwards()
    await tell_in_time(services, done.request, given)
    return replied


async def _tell_again(services: Services, request_id: str) -> None:
    """It is decided, but its saga may not know yet."""
    async with services.database.transaction() as session:
        row = await approvals.get(session, request_id)
    if row is not None and row.workflow_id is not None and row.told_at is None:
        await tell_in_time(services, row, None)


async def still_needed(session: AsyncSession, row: ApprovalRequest, given: Sequence[ApprovalDecision]) -> int:
    """How many others must agree yet, by the stricter of what was needed when it was asked for and what is needed now."""
    policies = await approval_policies.of_act(session, row.act)
    needed = approval_rules.needed(policies, row.act, row.amount_minor, row.currency)
    return max(0, max(row.approvers, needed) - len(approval_rules.approvals(given, row.version)))


def why_not(principal: Principal, row: ApprovalRequest, given: Sequence[ApprovalDecision]) -> Conflict | None:
    """Why this principal cannot agree to it now; None if they can."""
    who = Answerer(principal.person_id, principal.people, principal.id, "console")
    try:
        approval_rules.must_be_open(row, utc_now())
        approval_rules.may_approve(row, who, approval_rules.approvals(given, row.version))
    except Conflict as refused:
        return refused
    return None


async def withdraw(session: AsyncSession, principal: Principal, row: ApprovalRequest, note: str) -> None:
    """It will not happen; what it was about is the caller's to mend."""
    before = plain(row)
    approvals.end(row, "cancelled", note=note)
    session.add(row)
    await session.flush()
    await audit.write(
        session, actor=principal.id, action="approvals.cancel", subject=row.id, before=before, after=plain(row)
    )


async def give_code(
    session: AsyncSession, services: Services, principal: Principal, request_id: str, as_person: str | None = None
) -> tuple[ApprovalRequest, str]:
    """A code with which this person may answer this request in Temporal's own pages, once. Raises as `answer` does for
    whoever could not approve it."""
    row = await find(session, principal, request_id, for_update=True)
    if row.workflow_id is None:
        raise Conflict("No saga waits for this; answer it here.", code="no_saga")
    approval_rules.must_be_open(row, utc_now())
    who = await answerer(session, principal, row, as_person, "temporal")
    given = await approvals.answers(session, row.id)
    approval_rules.may_approve(row, who, approval_rules.approvals(given, row.version))
    code = approval_codes.new_code()
    subject, content = approval_codes.subject_of(row, who.person_id)
    await approval_codes.give(session, row, who, services.codes.hash(subject, content, code))
    await audit.write(session, actor=principal.id, action="approvals.code", subject=row.id)
    return row, code


async def tell(services: Services, row: ApprovalRequest, given: ApprovalDecision | None) -> CommandTaken | None:
    """What the request's saga says to the answer; None if there is no saga. Raises what `commands.send_update` does."""
    if row.workflow_id is None:
        return None
    async with services.database.transaction() as session:
        saga = await saga_rows.of_workflow(session, row.workflow_id)
    if saga is None:
        return None
    update_id = f"apr:{row.id}:{given.id if given else row.state}"
    return await commands.send_update(services, saga, "decide", Decide(request=row.id), update_id)


async def tell_in_time(services: Services, row: ApprovalRequest, given: ApprovalDecision | None) -> None:
    """The same; what fails is left to the sweep, since the answer stands."""
    try:
        await tell(services, row, given)
    except (KivukoError, RPCError) as error:
        log.warning("saga_not_told", request_id=row.id, error=type(error).__name__)


async def names_of(session: AsyncSession, ids: Sequence[str]) -> dict[str, str]:
    return dict(zip(ids, await people.names(session, ids), strict=True))


def spelled(code: str) -> str:
    """A code in two halves, as people read it out and type it."""
    return f"{code[:5]}-{code[5:]}"


def plain(row: ApprovalRequest) -> dict[str, Any]:
    """A request as the audit log keeps it."""
    return row.model_dump(
        mode="json", include={"act", "subject", "state", "version", "content", "amount_minor", "currency", "note"}
    )
