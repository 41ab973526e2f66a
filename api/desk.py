"""What the case desk and the missing-callback desk share: whose saga it is, who may decide about it, how it is told."""

from dataclasses import dataclass
from typing import Final, cast

from api import commands
from api.auth import Principal
from api.dependencies import Services
from api.schemas.keys import Scope
from api.schemas.saga_links import RESOURCES
from core.crypto import sha256_hex
from core.errors import Conflict, KivukoError, NotAllowed
from core.ids import new_id
from models.messages.base import Message
from models.messages.payouts import CommandTaken, Resolution, RetryNow
from store import audit, receipts
from store.sagas import Saga, kind_of

# Where a decision waits for another person, the same words again may be a proposal made anew.
_FOUR_EYES: Final = frozenset({"float-purchase", "wallet-top-up"})
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


async def refuse_foreign_receipt(house: Services, saga: Saga, receipt: str | None) -> None:
    """Raises Conflict (code "receipt_taken"): one receipt is one movement of money."""
    if receipt is None:
        return
    async with house.database.transaction() as session:
        taken = await receipts.belongs_elsewhere(
            session, receipt, workflow_id=saga.workflow_id, money_in=saga.kind in _MONEY_IN
        )
    # A part of a split loan is written down as paid with the last one: until then only the saga knows its receipt.
    status = None if taken else await commands.ask_status(house, saga)
    if taken or (status is not None and any(leg.receipt == receipt for leg in status.legs)):
        raise Conflict("That receipt belongs to another payment.", code="receipt_taken", field="receipt")


@dataclass(frozen=True, slots=True)
class Order:
    """A person's act on a saga, as it is recorded: `action` and `subject` name it in the audit log."""

    saga: Saga
    message: Resolution | RetryNow
    action: str
    subject: str
    about: str = ""  # the attempt that it is about, where it is about one


async def tell(house: Services, principal: Principal, order: Order, key: str | None) -> CommandTaken:
    """Recorded before it is sent, so that no act leaves without a trace; a refusal is recorded too. `key` is the
    caller's Idempotency-Key. Raises what `commands.tell` raises."""
    saga, message = order.saga, order.message
    facts = message.model_dump(mode="json", exclude={"actor"}, exclude_defaults=True)
    async with house.database.transaction() as session:
        await audit.write(
            session, actor=principal.id, action=order.action, subject=order.subject,
            before={"workflow_id": saga.workflow_id, "stage": saga.stage}, after=facts,
        )  # fmt: skip
    update = "retry" if isinstance(message, RetryNow) else "resolve"
    try:
        return await commands.tell(house, saga, update, message, _update_id(principal, order, key))
    except KivukoError as error:
        async with house.database.transaction() as session:
            await audit.write(
                session, actor=principal.id, action=f"{order.action}.refused", subject=order.subject,
                after={"code": error.code},
            )  # fmt: skip
        raise


def _update_id(principal: Principal, order: Order, key: str | None) -> str:
    """Without a key the same words about the same attempt are one decision where it is final by itself. Elsewhere saying
    it again may be a new wish: a declined proposal made anew, a second part posted by hand."""
    if key is not None:
        return f"api:{sha256_hex(f'{principal.id}:{key}:{order.subject}')}"
    final = isinstance(order.message, Resolution) and order.message.decision in ("paid", "not_paid")
    if final and order.saga.kind not in _FOUR_EYES:
        words = _words(order.message)
        return f"api:{sha256_hex(f'{principal.id}:{order.saga.workflow_id}:{order.about}:{words}')}"
    return f"api:{new_id('cmd')}"


def _words(message: Message) -> str:
    return message.model_dump_json(exclude={"actor"})
