"""A credit on one of a partner's accounts at its bank, by whatever channel it is told: somebody's payment, our own money on
its way, or none of a wallet's business. As it goes into the inbox, from which it is delivered."""

from typing import Any

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from core.money import Money
from inbound import money_in
from models.messages.connections.bank import BankSettings, comparable
from models.messages.inbound import CaseFound, Reading
from models.messages.saga.arrived_payments import AnnouncedPayment
from models.messages.saga.reports import Report
from models.tables.saga.payout_attempt import PayoutAttempt
from store.saga import payouts

log = structlog.get_logger()

_ELSEWHERE = "Money came in on the account that float is bought from; it is in no wallet until a person has moved it."
_NOT_THEIRS = "A credit names a payment that another partner sent; it was not taken for this partner's."
_FOREIGN = "The bank told of a credit on an account that is not this partner's; nothing was credited."


async def read(session: AsyncSession, credit: AnnouncedPayment, bank: BankSettings, *, body: Any) -> Reading:
    """Only what came in on the wallet's own account feeds the wallet.

    Money that comes back under the reference of an instruction of ours is no payment: crediting it would book it twice. It
    is news of that instruction, and from NCBA the only one; the reference bank tells of reversals in an event of its own.
    """
    role = bank.role_of(credit.account)
    if role is None:
        return _refused(credit, body, CaseFound(kind="foreign_account", summary=_FOREIGN))
    ours = await _instruction(session, credit)
    if ours is not None:
        if bank.dialect == "reference" or comparable(ours.destination or "") == comparable(credit.account):
            return _recorded(credit, body, "arrival").model_copy(update={"outcome": "redundant"})
        return Reading(
            provider="bank", kind="result", external_id=f"{credit.partner_id}:back:{credit.external_id}",
            workflow_id=ours.workflow_id, reference=ours.reference, body=body,
            report=_reversed(ours, credit).model_dump(mode="json"), partner_id=credit.partner_id,
        )  # fmt: skip
    named = await payouts.foreign_in(session, credit.partner_id, credit.reference)
    if named is not None:
        log.warning("foreign_reference", partner_id=credit.partner_id, provider="bank", channel=credit.channel)
        return _refused(
            credit, body, CaseFound(kind="foreign_reference", summary=_NOT_THEIRS, evidence={"reference": named})
        )
    if role == "b2c":
        return _refused(credit, body, CaseFound(kind="credit_elsewhere", summary=_ELSEWHERE))
    return money_in.announcement(credit, body)


async def _instruction(session: AsyncSession, credit: AnnouncedPayment) -> PayoutAttempt | None:
    """The instruction of ours that moved this money: its reference is in the narrative and its amount is the same. Any other
    amount is a person's to judge."""
    found = await payouts.behind(session, credit.partner_id, credit.reference)
    return found if found and Money(found.amount_minor, found.currency) == credit.amount else None


def _recorded(credit: AnnouncedPayment, body: Any, kind: str) -> Reading:
    return Reading(
        provider="bank", kind=kind, external_id=f"{credit.partner_id}:{kind}:{credit.external_id}:{credit.amount.minor}",
        reference=credit.external_id, body=body, report=credit.model_dump(mode="json"), partner_id=credit.partner_id,
    )  # fmt: skip


def _refused(credit: AnnouncedPayment, body: Any, case: CaseFound) -> Reading:
    """Credited to nobody. One case for one credit, by whatever channel it is told."""
    evidence = {
        "amount": str(credit.amount), "account": credit.account[:40], "bank_transaction_id": credit.external_id[:100],
        "channel": credit.channel, **case.evidence,
    }  # fmt: skip
    key = f"credit:{credit.partner_id}:{credit.external_id}"[:300]
    shown = case.model_copy(update={"key": key, "evidence": evidence})
    return _recorded(credit, body, case.kind).model_copy(update={"outcome": "refused", "case": shown})


def _reversed(ours: PayoutAttempt, credit: AnnouncedPayment) -> Report:
    return Report(
        reference=ours.reference,
        source="callback",
        state="failed",
        code="reversed",
        detail="the bank has moved the money back",
        provider_reference=credit.external_id,
        amount=credit.amount,
        happened_at=credit.happened_at,
    )
