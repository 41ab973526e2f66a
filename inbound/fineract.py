"""What Fineract's hooks say. Unsigned, so a hint and no more: the loan or the payment is read anew (A3, A11)."""

from datetime import timedelta
from typing import Final

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client

from core.crypto import CredentialBox
from core.errors import InvalidRequest
from inbound import refusals
from inbound.lending import loan_hints, payment_notice
from inbound.sealing import RawMessage
from models.messages.inbound import Reading
from models.messages.lending.loan_watch import LoanHint
from models.messages.lending.payment_notice import PaymentRecorded
from models.tables.platform.traffic import InboxItem
from providers.fineract.wire import HookEvent, parse_hook

log = structlog.get_logger()

_BIGINT: Final = 2**63 - 1


async def read_hook(session: AsyncSession, box: CredentialBox, item: InboxItem, message: RawMessage) -> Reading:
    """An approved loan to look at, a recorded payment to tell of, or nothing to do."""
    partner_id = item.partner_id
    assert partner_id is not None
    plain = Reading(
        provider="fineract", kind="hook", external_id=f"{partner_id}:hook:{item.id}", report={}, partner_id=partner_id,
        outcome="redundant",
    )  # fmt: skip
    try:
        event = parse_hook(message.headers, message.body)
    except (InvalidRequest, RecursionError) as error:
        log.warning("hook_garbled", partner_id=partner_id)
        why = error.detail if isinstance(error, InvalidRequest) else "It is nested too deeply."
        return refusals.unreadable(plain, why, key=f"unreadable:{partner_id}:hook")
    body = {"entity": event.entity[:40], "action": event.action[:40]}
    if (recorded := recorded_payment(partner_id, event)) is not None:
        return payment_notice.notice(recorded, body)
    if (loan_id := approved_loan(event)) is not None:
        hint = LoanHint(partner_id=partner_id, loan_id=loan_id)
        return plain.model_copy(
            update={
                "kind": "approved", "report": hint.model_dump(mode="json"), "reference": str(loan_id), "body": body,
                "outcome": "waiting",
            }
        )  # fmt: skip
    return plain.model_copy(update={"body": body})


def approved_loan(event: HookEvent) -> int | None:
    """The loan's id, if this tells of a loan that was approved."""
    approved = event.entity == "LOAN" and event.action == "APPROVE"
    return event.loan_id if approved and event.loan_id is not None and event.loan_id <= _BIGINT else None


def recorded_payment(partner_id: str, event: HookEvent) -> PaymentRecorded | None:
    """The payment, if this tells of one that was recorded; failed and pending commands name none."""
    ids = {("LOAN", "REPAYMENT"): event.loan_id, ("SAVINGSACCOUNT", "DEPOSIT"): event.savings_id}
    account_id = ids.get((event.entity, event.action))
    if account_id is None or event.transaction_id is None or max(account_id, event.transaction_id) > _BIGINT:
        return None
    return PaymentRecorded(
        partner_id=partner_id,
        kind="loan" if event.entity == "LOAN" else "savings",
        account_id=account_id,
        transaction_id=event.transaction_id,
    )


async def _give_recorded(client: Client, item: InboxItem, rpc_timeout: timedelta) -> str:
    return await payment_notice.give(client, PaymentRecorded.model_validate(item.report))


async def _give_approved(client: Client, item: InboxItem, rpc_timeout: timedelta) -> str:
    return await loan_hints.give(client, LoanHint.model_validate(item.report))


READERS: Final = {"hook": read_hook}
GIVERS: Final = {"recorded": _give_recorded, "approved": _give_approved}
