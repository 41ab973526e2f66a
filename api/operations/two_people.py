"""What needs two people and is no saga's decision: one proposes, another agrees, and only then it happens.

An act says what is done in the transaction of the agreement (`carry_out`) and what must be undone if nobody agrees
(`drop`). Time never agrees: a proposal that is not answered expires, and nothing happens.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal, are_different
from api.http.dependencies import Services
from api.lending import payouts_again
from api.operations.proposals_schemas import ProposalOut
from api.partners import claims_moved, contacts
from api.partners.keys_schemas import Scope
from core.clock import utc_now
from core.errors import Conflict, InvalidRequest, NotAllowed, NotFound
from models.tables.platform.proposal import Proposal
from store.platform import audit, proposals

# What is done once the agreement is committed, such as starting a saga whose row stands already.
Afterwards = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Act:
    """`means` says in plain words what happens when a second person agrees. `scope` is what both need. `carry_out` raises
    what forbids it by now; then the proposal stays open."""

    means: str
    scope: Scope
    carry_out: Callable[[AsyncSession, Services, Proposal], Awaitable[Afterwards | None]]
    drop: Callable[[AsyncSession, Proposal], Awaitable[None]] | None = None
    house_only: bool = False


ACTS: Final[dict[str, Act]] = {
    contacts.AUTHORISE: Act(
        "A contact may confirm float purchases with one-time codes.",
        "partners:write",
        contacts.authorise,
        contacts.forget,
    ),
    payouts_again.AGAIN: Act(
        "A loan whose payout was sent before, and is known not to have been paid, is paid out anew.",
        "disbursements:write",
        payouts_again.start,
    ),
    claims_moved.MOVE: Act(
        "A tenant, short code or bank account goes from one partner to another.",
        "admin",
        claims_moved.move,
        house_only=True,
    ),
}


async def propose(
    session: AsyncSession,
    principal: Principal,
    act: str,
    *,
    subject: str,
    partner_id: str | None,
    content: dict[str, Any],
    evidence: str | None,
) -> Proposal:
    """The open proposal, made and recorded unless there is one. Raises NotAllowed without the act's scope, InvalidRequest
    (code "evidence_missing") if nobody said why."""
    _need(principal, ACTS[act])
    if evidence is None and (there := await proposals.open_of(session, act, subject)) and there.expires_at > utc_now():
        return there
    if evidence is None:
        raise InvalidRequest("Say what it rests on; a second person must agree.", code="evidence_missing",
                             field="evidence")  # fmt: skip
    row, is_new = await proposals.add(
        session,
        act=act,
        subject=subject,
        partner_id=partner_id,
        content=content,
        evidence=evidence,
        key_id=principal.id,
        person_id=principal.person_id,
        people=sorted(principal.people),
    )
    if is_new:
        after = ProposalOut.of(row).model_dump(mode="json")
        await audit.write(session, actor=principal.id, action="proposals.make", subject=row.id, after=after)
    return row


async def agree(
    session: AsyncSession, services: Services, principal: Principal, proposal_id: str, note: str | None
) -> tuple[Proposal, Afterwards | None]:
    """Raises NotFound, NotAllowed, Conflict ("already_decided", "expired", "four_eyes" for those who proposed it), and
    what the act does."""
    row, act = await _open(session, principal, proposal_id)
    if not are_different(row.people, principal.people):
        raise Conflict("Who proposed it cannot agree to it; another person must.", code="four_eyes")
    afterwards = await act.carry_out(session, services, row)
    await _decided(session, principal, row, "agreed", note)
    return row, afterwards


async def decline(session: AsyncSession, principal: Principal, proposal_id: str, note: str) -> Proposal:
    """By anybody who could agree, and by those who proposed it. Raises as `agree` does."""
    row, act = await _open(session, principal, proposal_id)
    await withdraw(session, principal, row, note)
    if act.drop is not None:
        await act.drop(session, row)
    return row


async def withdraw(session: AsyncSession, principal: Principal, row: Proposal, note: str) -> None:
    """It will not happen; what it was about is the caller's to mend."""
    await _decided(session, principal, row, "declined", note)


async def find(session: AsyncSession, principal: Principal, proposal_id: str, *, for_update: bool = False) -> Proposal:
    """Raises NotFound, for another partner's too."""
    row = await proposals.get(session, proposal_id, for_update=for_update)
    if row is None or not principal.sees(row.partner_id) or not _may(principal, ACTS[row.act]):
        raise NotFound("No proposal has that id.", field="proposal_id")
    return row


async def _open(session: AsyncSession, principal: Principal, proposal_id: str) -> tuple[Proposal, Act]:
    row = await find(session, principal, proposal_id, for_update=True)
    if row.state != "open":
        raise Conflict(f"The proposal was {row.state} already.", code="already_decided", state=row.state)
    if row.expires_at <= utc_now():
        raise Conflict("The proposal has expired; make it anew.", code="expired")
    return row, ACTS[row.act]


async def _decided(session: AsyncSession, principal: Principal, row: Proposal, state: str, note: str | None) -> None:
    before = ProposalOut.of(row).model_dump(mode="json")
    await proposals.decide(session, row, state, key_id=principal.id, person_id=principal.person_id, note=note)
    after = ProposalOut.of(row).model_dump(mode="json")
    action = "proposals.agree" if state == "agreed" else "proposals.decline"
    await audit.write(session, actor=principal.id, action=action, subject=row.id, before=before, after=after)


def _may(principal: Principal, act: Act) -> bool:
    return principal.may(act.scope) and (not act.house_only or principal.partner_id is None)


def acts_of(principal: Principal) -> list[str]:
    """The acts that this key may propose and answer."""
    return [name for name, act in ACTS.items() if _may(principal, act)]


def _need(principal: Principal, act: Act) -> None:
    if not _may(principal, act):
        raise NotAllowed(f"The key lacks the scope {act.scope}.", code="scope_missing", scope=act.scope)
