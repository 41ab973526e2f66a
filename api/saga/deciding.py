"""What the case desk, the missing-callback desk and the sagas' own pages share: whose saga it is, who may decide about it,
how a decision is written and told."""

from dataclasses import dataclass
from typing import Final, cast

from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal
from api.http.dependencies import Services
from api.lending import money_rules
from api.partners.keys_schemas import Scope
from api.saga import commands
from api.saga.commands import Row
from api.saga.links import RESOURCES
from core.crypto import sha256_hex
from core.errors import Conflict, KivukoError, NotAllowed
from core.ids import DECISION, derived_id, new_id
from models.messages.saga.decisions import CommandTaken, DecisionMade, RetryNow, Verdict
from models.messages.saga.status import Proposed
from store.lending import customer_collection
from store.platform import audit
from store.saga import decisions, receipts
from store.saga.sagas import kind_of

# Where every decision waits for another person, the same words again may be a proposal made anew.
_ALL_BY_TWO: Final = frozenset({"float-purchase", "wallet-top-up"})
_MONEY_IN: Final = frozenset({"customer-collection", "wallet-top-up"})


def need_to_decide(principal: Principal, workflow_id: str | None) -> None:
    """Raises NotAllowed unless the key may decide about this saga. What no saga waits for falls to who decides about
    payouts."""
    _need(principal, workflow_id, "resolve")


def need_to_ask(principal: Principal, workflow_id: str) -> None:
    """Raises NotAllowed unless the key may have this saga go on."""
    _need(principal, workflow_id, "write")


def _need(principal: Principal, workflow_id: str | None, verb: str) -> None:
    resource = RESOURCES.get(kind_of(workflow_id or ""), "disbursements")
    scope = cast(Scope, f"{resource}:{verb}")
    if not principal.may(scope):
        raise NotAllowed(f"The key lacks the scope {scope}.", code="scope_missing", scope=scope)


async def refuse_foreign_receipt(services: Services, row: Row, receipt: str | None) -> None:
    """Raises Conflict (code "receipt_taken"): one receipt is one movement of money."""
    if receipt is None:
        return
    money_in = kind_of(row.workflow_id) in _MONEY_IN
    async with services.database.transaction() as session:
        taken = await receipts.belongs_elsewhere(session, receipt, workflow_id=row.workflow_id, money_in=money_in)
    # A part of a split loan is written down as paid with the last one: until then only the saga knows its receipt.
    status = None if taken else await commands.ask_status(services, row)
    if taken or (status is not None and any(leg.receipt == receipt for leg in status.legs)):
        whose = "payment" if money_in else "payout"
        raise Conflict(f"That receipt belongs to another {whose}.", code="receipt_taken", field="receipt")


@dataclass(frozen=True, slots=True)
class Order:
    """A person's act on a saga, as it is recorded: `action` and `subject` name it in the audit log."""

    saga: Row
    message: Verdict | RetryNow
    action: str
    subject: str
    about: str = ""  # the attempt that it is about, where it is about one


async def tell(services: Services, principal: Principal, order: Order, key: str | None) -> CommandTaken:
    """Recorded before it is sent, so that no act leaves without a trace; a refusal is recorded too. `key` is the
    caller's Idempotency-Key. Raises what `commands.tell` raises."""
    saga, message = order.saga, order.message
    update_id = _update_id(principal, order, key)
    try:
        if isinstance(message, Verdict):
            return await _decide(services, principal, order, message, update_id)
        async with services.database.transaction() as session:
            await _record(session, principal, order)
        return await commands.tell(services, saga, "retry", message, update_id)
    except KivukoError as error:
        async with services.database.transaction() as session:
            await audit.write(
                session, actor=principal.id, action=f"{order.action}.refused", subject=order.subject,
                after={"code": error.code},
            )  # fmt: skip
        raise


async def _decide(
    services: Services, principal: Principal, order: Order, verdict: Verdict, update_id: str
) -> CommandTaken:
    """The decision's row is written with the audit line, in one transaction; the saga is told its id alone. The same
    update has the same row, so that an answer that was lost can be asked for again."""
    status = await commands.status_to_decide(services, order.saga)
    await _refuse_wrong_parts(services, order.saga, verdict)
    answers = verdict.decision in ("approve", "decline")
    about = _proposal(status.proposal, verdict) if answers else status.question
    decision_id = derived_id(DECISION, order.saga.workflow_id, update_id)
    facts = verdict.model_dump(mode="json", exclude={"decision", "evidence"}, exclude_defaults=True)
    async with services.database.transaction() as session:
        await _record(session, principal, order, decision_id)
        await decisions.add(
            session,
            decision_id=decision_id,
            workflow_id=order.saga.workflow_id,
            about=about or "",
            decision=verdict.decision,
            facts=facts,
            evidence=verdict.evidence,
            person_id=principal.person_id,
            key_id=principal.id,
            people=sorted(principal.people),
        )
    return await commands.tell(services, order.saga, "resolve", DecisionMade(decision_id=decision_id), update_id)


def _proposal(waiting: Proposed | None, verdict: Verdict) -> str | None:
    """The id of the proposal that an answer is to. Raises Conflict if it names another one than the one that waits."""
    if verdict.proposal is not None and (waiting is None or waiting.decision_id != verdict.proposal):
        raise Conflict("That proposal does not wait any more.", code="superseded", field="proposal")
    return waiting.decision_id if waiting else None


async def _refuse_wrong_parts(services: Services, saga: Row, verdict: Verdict) -> None:
    """Raises InvalidRequest (code "allocation_sum") unless the parts of an allocation are the payment, to the cent."""
    if verdict.decision != "allocate" or not verdict.allocations:
        return
    async with services.database.transaction() as session:
        whole = await customer_collection.payment_of(session, saga.workflow_id)
    if whole is not None:
        money_rules.comes_to([part.amount for part in verdict.allocations], whole)


async def _record(session: AsyncSession, principal: Principal, order: Order, decision_id: str | None = None) -> None:
    said = order.message.model_dump(mode="json", exclude={"actor"}, exclude_defaults=True)
    await audit.write(
        session, actor=principal.id, action=order.action, subject=order.subject,
        before={"workflow_id": order.saga.workflow_id, "stage": order.saga.stage},
        after=said | ({"decision_id": decision_id} if decision_id else {}),
    )  # fmt: skip


def _update_id(principal: Principal, order: Order, key: str | None) -> str:
    """Without a key the same words about the same attempt are one decision where it is final by itself. Elsewhere saying
    it again may be a new wish: a declined proposal made anew, a second part posted by hand."""
    if key is not None:
        return f"api:{sha256_hex(f'{principal.id}:{key}:{order.subject}')}"
    workflow_id = order.saga.workflow_id
    final = isinstance(order.message, Verdict) and order.message.decision == "paid"
    if final and kind_of(workflow_id) not in _ALL_BY_TWO:
        words = order.message.model_dump_json()
        return f"api:{sha256_hex(f'{principal.id}:{workflow_id}:{order.about}:{words}')}"
    return f"api:{new_id('cmd')}"
