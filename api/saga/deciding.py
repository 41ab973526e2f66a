"""A person's act on a saga, whichever page or desk it comes from: who may, what is recorded of it, and how the saga gets it.

`decide` makes every decision and `command` sends every other command; no page has a way of its own.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.service import RPCError

from api.http.auth import Principal
from api.http.dependencies import Services
from api.operations import approving
from api.operations.acts import all_acts
from api.saga import commands, money_rules
from core.clock import utc_now
from core.crypto import sha256_hex
from core.errors import Conflict, KivukoError, NotAllowed
from core.ids import DECISION, derived_id, new_id
from models import kinds
from models.kinds import PAYOUTS, Verb
from models.messages.base import Message
from models.messages.saga.decisions import CommandTaken, DecisionMade, Verdict
from models.messages.saga.status import SagaStatus
from models.tables.platform.approval import ApprovalRequest
from models.tables.saga.saga_row import MoneyInRow
from store.platform import approval_rules, approvals, audit
from store.platform.approval_rules import Channel
from store.saga import decisions, reads, receipts, saga_rows, unknown_outcomes
from temporal.commands import Row

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Act:
    """Who acts on which saga, and how it is recorded: `action` and `subject` name it in the audit log. `key` is the
    caller's Idempotency-Key, `channel` where the person sits."""

    principal: Principal
    saga: Row
    action: str
    subject: str
    key: str | None = None
    channel: Channel = "api"


def need_to_decide(principal: Principal, workflow_id: str | None) -> None:
    """Raises NotAllowed unless the key may decide about this saga. What no saga waits for falls to who decides about
    payouts."""
    _need(principal, workflow_id, "resolve")


def need_to_command(principal: Principal, workflow_id: str) -> None:
    """Raises NotAllowed unless the key may have this saga go on."""
    _need(principal, workflow_id, "write")


def _need(principal: Principal, workflow_id: str | None, verb: Verb) -> None:
    scope = (kinds.of_workflow(workflow_id or "") or PAYOUTS).scope(verb)
    if not principal.may(scope):
        raise NotAllowed(f"The key lacks the scope {scope}.", code="scope_missing", scope=scope)


async def command(services: Services, act: Act, update: str, message: Message) -> CommandTaken:
    """Sends what proves nothing by itself (`retry`, `cancel_request`, …), recorded before it is sent, so that no act
    leaves without a trace; a refusal is recorded too. Raises what `commands.send_update` raises."""
    update_id = f"api:{_named(act) if act.key is not None else new_id('cmd')}"
    async with recorded_refusals(services, act):
        async with services.database.transaction() as session:
            await _record(session, act, message)
        return await commands.send_update(services, act.saga, update, message, update_id)


async def decide(services: Services, act: Act, verdict: Verdict, *, meant: str | None = None) -> CommandTaken:
    """The decision's row is written with the audit line, in one transaction; the saga is told its id alone. The same
    decision has the same row, so that an answer that was lost can be asked for again.

    `meant` is the attempt that the person looked at, by its reference. Raises NotAllowed without the scope; Conflict
    "another_attempt" if `meant` is not the last one, "receipt_taken" for another payment's receipt, "superseded" for an
    answer to a proposal that waits no more; InvalidRequest "allocation_sum"; and what `commands.send_update` raises.
    """
    need_to_decide(act.principal, act.saga.workflow_id)
    if verdict.decision in ("approve", "decline"):
        return await _answer(services, act, verdict)
    last = await last_attempt(services, act.saga)
    if meant is not None and meant != last:
        at = {"field": "reference"} if verdict.reference else {}
        raise Conflict("That is not the attempt that waits.", code="another_attempt", **at)
    await _refuse_foreign_receipt(services, act.saga, verdict.receipt)
    async with recorded_refusals(services, act):
        status = await commands.status_to_decide(services, act.saga)
        await _refuse_wrong_parts(services, act.saga, verdict)
        await _refuse_where_nobody_could_agree(services, act, status, verdict)
        update_id = _update_id(act, verdict, last)
        decision_id = derived_id(DECISION, act.saga.workflow_id, update_id)
        async with services.database.transaction() as session:
            await _record(session, act, verdict, decision_id)
            await decisions.add(
                session,
                decision_id=decision_id,
                workflow_id=act.saga.workflow_id,
                about=status.question or "",
                decision=verdict.decision,
                facts=verdict.model_dump(mode="json", exclude={"decision", "evidence"}, exclude_defaults=True),
                evidence=verdict.evidence,
                person_id=act.principal.person_id,
                via=act.principal.id,
                people=sorted(act.principal.people),
            )
        made = DecisionMade(decision_id=decision_id)
        return await commands.send_update(services, act.saga, "resolve", made, update_id)


@asynccontextmanager
async def recorded_refusals(services: Services, act: Act) -> AsyncIterator[None]:
    """What is refused inside goes on, and leaves `<action>.refused` with its code in the audit log."""
    try:
        yield
    except KivukoError as error:
        async with services.database.transaction() as session:
            await audit.refused(
                session, actor=act.principal.id, action=act.action, subject=act.subject, code=error.code
            )
        raise


async def last_attempt(services: Services, saga: Row) -> str:
    """The reference of the saga's last payout, or of its last prompt: what a decision about it is taken to be about. ""
    if it has neither."""
    async with services.database.transaction() as session:
        if paid := await unknown_outcomes.last_payouts(session, [saga.workflow_id]):
            return paid[saga.workflow_id]
        asked = await reads.prompts(session, saga.workflow_id)
        return asked[-1].reference if asked else ""


async def _refuse_foreign_receipt(services: Services, saga: Row, receipt: str | None) -> None:
    """Raises Conflict (code "receipt_taken"): one receipt is one movement of money."""
    if receipt is None:
        return
    kind = kinds.of_workflow(saga.workflow_id)
    money_in = kind is not None and kind.takes_money
    async with services.database.transaction() as session:
        taken = await receipts.belongs_elsewhere(session, receipt, workflow_id=saga.workflow_id, money_in=money_in)
    # A part of a split loan is written down as paid with the last one: until then only the saga knows its receipt.
    status = None if taken else await commands.query_status(services, saga)
    if taken or (status is not None and any(leg.receipt == receipt for leg in status.legs)):
        whose = "payment" if money_in else "payout"
        raise Conflict(f"That receipt belongs to another {whose}.", code="receipt_taken", field="receipt")


async def _refuse_wrong_parts(services: Services, saga: Row, verdict: Verdict) -> None:
    """Raises InvalidRequest (code "allocation_sum") unless the parts of an allocation are the payment, to the cent."""
    if verdict.decision != "allocate" or not verdict.allocations:
        return
    async with services.database.transaction() as session:
        row = await saga_rows.of_workflow(session, saga.workflow_id)
    if isinstance(row, MoneyInRow):
        money_rules.comes_to([part.amount for part in verdict.allocations], row.amount)


async def _answer(services: Services, act: Act, verdict: Verdict) -> CommandTaken:
    """An answer to what the saga asks others to agree to: the same as on the request's own page."""
    answer: approval_rules.Answer = "approve" if verdict.decision == "approve" else "reject"
    async with recorded_refusals(services, act):
        if act.saga.ended_at is not None:
            raise Conflict("The saga has ended.", code="ended", stage=act.saga.stage)
        async with services.database.transaction() as session:
            row = await _asked(session, act, verdict)
            done = await approving.answer(
                session, services, act.principal, row.id, answer, reason=verdict.evidence, channel=act.channel
            )
            (given,) = (await approvals.answers(session, row.id))[-1:]
            await _record(session, act, verdict, given.id)
    try:
        said = await approving.tell(services, done.request, given)
    except (KivukoError, RPCError) as error:  # the answer stands, and is told to the saga until it has taken it
        log.warning("saga_not_told", request_id=done.request.id, error=type(error).__name__)
        said = None
    return said or CommandTaken(stage=act.saga.stage, at=utc_now())


async def _asked(session: AsyncSession, act: Act, verdict: Verdict) -> ApprovalRequest:
    """The request that the saga waits for. Raises Conflict: "superseded" if another proposal is meant, "wrong_stage" if
    none waits."""
    row = await approvals.last_of_workflow(session, act.saga.workflow_id)
    if verdict.proposal is not None and (row is None or row.content["decision_id"] != verdict.proposal):
        raise Conflict("That proposal does not wait any more.", code="superseded", field="proposal")
    if row is None or row.state != "open":
        raise Conflict("Nothing waits for approval.", code="wrong_stage", stage=act.saga.stage)
    return row


async def _refuse_where_nobody_could_agree(services: Services, act: Act, status: SagaStatus, verdict: Verdict) -> None:
    """Raises Conflict (code "no_eligible_approver"), now and not when the deadline has passed."""
    kind = kinds.of_workflow(act.saga.workflow_id)
    needs_others = any(offer.two_people and offer.word == verdict.decision for offer in status.offers or ())
    if kind is None or not needs_others:
        return
    wanted = all_acts()[kind.act(verdict.decision)]
    async with services.database.transaction() as session:
        await approving.somebody_could(session, wanted, act.saga.partner_id, act.principal.people)


async def _record(session: AsyncSession, act: Act, message: Message, decision_id: str | None = None) -> None:
    said = message.model_dump(mode="json", exclude={"actor"}, exclude_defaults=True)
    await audit.command(
        session, actor=act.principal.id, action=act.action, subject=act.subject, workflow_id=act.saga.workflow_id,
        stage=act.saga.stage, said=said | ({"decision_id": decision_id} if decision_id else {}),
    )  # fmt: skip


def _update_id(act: Act, verdict: Verdict, last: str) -> str:
    """Without a key the same words about the same attempt are one decision where it is final by itself. Elsewhere saying
    it again may be a new decision: a declined proposal made anew, a second part posted by hand."""
    if act.key is not None:
        return f"api:{_named(act)}"
    workflow_id = act.saga.workflow_id
    kind = kinds.of_workflow(workflow_id)
    # Where every decision waits for another person, the same words again may be a proposal made anew.
    if verdict.decision == "paid" and not (kind and kind.resolved_by_two):
        words = verdict.model_dump_json()
        return f"api:{sha256_hex(f'{act.principal.id}:{workflow_id}:{last}:{words}')}"
    return f"api:{new_id('cmd')}"


def _named(act: Act) -> str:
    """The same for the same key on the same subject."""
    return sha256_hex(f"{act.principal.id}:{act.key}:{act.subject}")
