"""What a saga asks people to agree to: answered by a code, and read back by the saga that waits."""

from dataclasses import dataclass
from typing import Any, cast

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from core.clock import utc_now
from core.crypto import CodeHasher
from core.errors import Conflict, InvalidRequest, NotAllowed, NotFound
from models.messages.saga.approvals import Answered, ClaimAnswer, Outcome, ReadOutcome
from models.tables.platform.approval import ApprovalDecision, ApprovalRequest
from store.database import Database
from store.platform import approval_codes, approval_rules, approvals, audit


@dataclass(frozen=True)
class Approvals:
    """Both may be repeated: a code that was used gives its first answer again, and changes nothing."""

    database: Database
    hasher: CodeHasher

    @activity.defn(name="approvals.claim")
    async def claim(self, order: ClaimAnswer) -> Outcome:
        """Proves the code and writes its person's answer, in one transaction; a wrong code is counted all the same.

        Raises NotFound (code "no_request"), InvalidRequest (code "reason_missing" for a rejection without one), NotAllowed
        (code "code_wrong"), Conflict ("code_locked", and what `approvals.answer` raises).
        """
        if order.decision == "reject" and len(order.reason.strip()) < 3:
            raise InvalidRequest("Say why it must not happen.", code="reason_missing", field="reason")
        async with self.database.transaction() as session:
            request = await approvals.last_of_workflow(session, order.workflow_id)
            if request is None:
                raise NotFound("Nothing waits for approval.", code="no_request")
            typed = approval_codes.as_typed(order.code)
            if await self._was_used(session, request, typed, order.decision):
                return await _outcome(session, request)
            approval_rules.must_be_open(request, utc_now())
            who = await approval_codes.use(session, request, await self._hashes(session, request, typed))
            if who is None:
                left = approval_rules.MOST_WRONG_CODES - request.wrong_codes
                await audit.write(
                    session, actor="temporal", action="approvals.wrong_code", subject=request.id, after={"left": left}
                )
            else:
                reason = order.reason.strip() or None
                made = await approvals.answer(session, request, who, order.decision, reason=reason)
                after = {"decision": made.decision, "state": request.state, "channel": made.channel}
                await audit.write(
                    session, actor=who.via, action=f"approvals.{order.decision}", subject=request.id, after=after
                )
                return await _outcome(session, request)
        raise NotAllowed(f"That code is wrong; {left} tries are left." if left else "That code is wrong, and was the last "
                         "try: have a new one made.", code="code_wrong")  # fmt: skip

    @activity.defn(name="approvals.outcome")
    async def outcome(self, order: ReadOutcome) -> Outcome:
        """Raises NotFound (code "no_request"), Conflict (code "foreign_request": it is another saga's)."""
        async with self.database.transaction() as session:
            request = await approvals.get(session, order.request_id)
            if request is None:
                raise NotFound("Nobody asked for that.", code="no_request")
            if request.workflow_id != order.workflow_id:
                raise Conflict("That request is about another payment.", code="foreign_request")
            return await _outcome(session, request)

    async def _hashes(self, session: AsyncSession, request: ApprovalRequest, typed: str) -> dict[str, list[str]]:
        people = [row.person_id for row in await approval_codes.unused(session, request)]
        return {one: self.hasher.hashes(*approval_codes.subject_of(request, one), typed) for one in people}

    async def _was_used(self, session: AsyncSession, request: ApprovalRequest, typed: str, decision: str) -> bool:
        """Whether this very code gave this answer before: the activity ran, and its answer was lost."""
        for row in await approval_codes.used(session, request):
            if row.hash in self.hasher.hashes(*approval_codes.subject_of(request, row.person_id), typed):
                given = await approvals.answers(session, request.id)
                return any(one.person_id == row.person_id and one.decision == decision for one in given)
        return False


async def _outcome(session: AsyncSession, request: ApprovalRequest) -> Outcome:
    given = [one for one in await approvals.answers(session, request.id) if one.version == request.version]
    return Outcome(
        request_id=request.id,
        proposal_id=request.content["decision_id"],
        state=cast(Any, request.state),
        needed=request.approvers,
        answers=tuple(_answered(one) for one in given),
    )


def _answered(row: ApprovalDecision) -> Answered:
    return Answered(
        answer_id=row.id, person_id=row.person_id, on_behalf_of=row.on_behalf_of, people=tuple(row.people),
        decision=cast(Any, row.decision), reason=row.reason or "",
    )  # fmt: skip
