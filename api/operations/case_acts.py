"""What people do with a case, whichever page they do it from: take it, give it back, decide about it, close it."""

from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal
from api.http.dependencies import Services
from api.operations.cases_schemas import CaseAct, CaseActed, CaseClose, CaseOut
from api.saga import deciding
from api.saga.deciding import Act
from core.errors import Conflict, InvalidRequest, NotFound
from models.messages.saga.cases import FACTS_OF, RETRY
from models.messages.saga.decisions import Allocation, RetryNow, Verdict
from models.tables.saga.case import Case
from models.tables.saga.saga_row import SagaRow
from store.platform import audit
from store.saga import cases, saga_rows

# The kinds whose case is about one attempt: a decision must not fall on the attempt after it.
_ABOUT_AN_ATTEMPT: Final = frozenset({"payout_unknown"})


async def take(session: AsyncSession, principal: Principal, case_id: str) -> CaseOut:
    """Raises NotFound, NotAllowed, Conflict ("case_closed", "case_taken")."""
    row = await _find_to_decide(session, principal, case_id)
    before = _plain(row)
    if not await cases.take(session, case_id, principal.person_id):
        await session.refresh(row)
        _refuse_if_closed(row)
        raise Conflict("Somebody else looks at it already.", code="case_taken", owner=row.owner or "-")
    return await _recorded(session, principal, row, "take", before)


async def give_back(session: AsyncSession, principal: Principal, case_id: str) -> CaseOut:
    """Raises NotFound, NotAllowed, Conflict ("case_closed", "case_not_taken")."""
    row = await _find_to_decide(session, principal, case_id)
    before = _plain(row)
    if not await cases.give_back(session, case_id, None if principal.is_admin else principal.person_id):
        await session.refresh(row)
        _refuse_if_closed(row)
        raise Conflict("You have not taken this case.", code="case_not_taken", owner=row.owner or "-")
    return await _recorded(session, principal, row, "give_back", before)


async def act(services: Services, principal: Principal, case_id: str, wanted: CaseAct, key: str | None) -> CaseActed:
    """`key` is the caller's Idempotency-Key. Raises NotFound, NotAllowed, InvalidRequest (a fact is missing or does not
    belong), Conflict (the case or the saga's stage does not allow it), and what the saga refuses."""
    message = _message(wanted, principal)
    async with services.database.transaction() as session:
        row = await _find_to_decide(session, principal, case_id)
        _refuse_if_closed(row)
        saga = await saga_rows.of_workflow(session, row.workflow_id) if row.workflow_id else None
        saga = _refuse_what_is_not_allowed(row, saga, wanted.action)
    its = Act(principal, saga, "cases.act", case_id, key)
    if isinstance(message, Verdict):
        meant = row.evidence.get("reference") if row.kind in _ABOUT_AN_ATTEMPT else None
        taken = await deciding.decide(services, its, message, meant=meant)
    else:
        taken = await deciding.command(services, its, RETRY, message)
    return CaseActed(case_id=case_id, stage=taken.stage, at=taken.at)


async def close(session: AsyncSession, principal: Principal, case_id: str, wanted: CaseClose) -> CaseOut:
    """Raises NotFound, NotAllowed, Conflict (code "case_closed")."""
    row = await _find_to_decide(session, principal, case_id)
    before = _plain(row)
    if not await cases.close(session, case_id, by=principal.id, resolution=wanted.reason):
        raise _closed()
    return await _recorded(session, principal, row, "close", before)


async def find(session: AsyncSession, principal: Principal, case_id: str) -> Case:
    """Raises NotFound, for another partner's too."""
    row = await cases.get(session, case_id)
    if row is None or not principal.sees(row.partner_id):
        raise NotFound("No case has that id.", field="case_id")
    return row


async def _find_to_decide(session: AsyncSession, principal: Principal, case_id: str) -> Case:
    row = await find(session, principal, case_id)
    deciding.need_to_decide(principal, row.workflow_id)
    return row


def _refuse_if_closed(row: Case) -> None:
    if row.state == "closed":
        raise _closed()


def _closed() -> Conflict:
    return Conflict("The case is closed already.", code="case_closed")


def _refuse_what_is_not_allowed(row: Case, saga: SagaRow | None, action: str) -> SagaRow:
    """The saga that takes the action. Raises Conflict."""
    if saga is None:
        raise Conflict("No saga waits for this case; close it with a reason.", code="no_saga")
    if not row.actions:
        raise Conflict(
            "No saga waits for a decision on this case; look at its evidence and close it with a reason.",
            code="nothing_to_decide",
        )
    if action not in row.actions:
        raise Conflict(
            f"This case takes {', '.join(row.actions)}; not “{action}”.", code="action_not_allowed", field="action"
        )
    return saga


def _message(wanted: CaseAct, principal: Principal) -> Verdict | RetryNow:
    """Raises InvalidRequest for a decision that says too little, or something that does not belong to it."""
    given = {
        name for name in ("receipt", "transaction_id", "paid_at", "proposal", "allocations") if getattr(wanted, name)
    }
    for name in sorted(given - FACTS_OF.get(wanted.action, frozenset())):
        raise InvalidRequest(f"“{name}” does not belong to “{wanted.action}”.", code="not_for_this_action", field=name)
    if wanted.action == RETRY:
        return RetryNow(actor=principal.id, note=wanted.evidence or "")
    if wanted.evidence is None:
        raise InvalidRequest("Say what the decision rests on.", code="evidence_missing", field="evidence")
    return Verdict(
        decision=wanted.action,
        evidence=wanted.evidence,
        proposal=wanted.proposal,
        receipt=wanted.receipt,
        transaction_id=wanted.transaction_id,
        paid_at=wanted.paid_at,
        allocations=tuple(
            Allocation(
                kind=part.kind,
                account_no=part.account,
                amount=part.amount.money,
                accept_overpayment=part.accept_overpayment,
            )
            for part in wanted.allocations
        ),
    )


def _plain(row: Case) -> dict[str, Any]:
    return CaseOut.of(row).model_dump(mode="json")


async def _recorded(
    session: AsyncSession, principal: Principal, row: Case, act: str, before: dict[str, Any]
) -> CaseOut:
    """The case as it is now, with the act in the audit log."""
    await session.refresh(row)
    after = CaseOut.of(row)
    await audit.write(
        session, actor=principal.id, action=f"cases.{act}", subject=row.id, before=before,
        after=after.model_dump(mode="json"),
    )  # fmt: skip
    return after
