"""Wallet top-ups: announced by the partner under a code of their own, or found as a credit that names none."""

import re
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import TOP_UP_CODE, new_id, payer_code
from core.money import Money
from core.msisdn import Msisdn
from models import kinds
from models.messages.lending.wallet_top_up import TopUpRequest
from models.messages.saga.arrived_payments import ArrivedPayment
from models.messages.saga.policies import PromptPolicy, TopUpPolicy
from models.tables.lending.wallet_top_up import TopUp
from models.tables.saga.incoming_payment import IncomingPayment
from store.saga import incoming, prompts, saga_rows, timeline

KIND: Final = kinds.named("wallet-top-up")

# Our code as a whole word, with or without the blanks and hyphens that people and banks put in. Nothing else is evidence:
# matching digits in a narrative credited the wrong customer (SCARS).
_CODE: Final = re.compile(r"(?<![A-Z0-9])KV[- ]?T[- ]?([0-9A-HJKMNP-TV-Z]{4})[- ]?([0-9A-HJKMNP-TV-Z]{4})(?![A-Z0-9])")


def codes_in(narrative: str) -> set[str]:
    """Every top-up code that a narrative holds as a whole word."""
    return {f"KVT{first}{second}" for first, second in _CODE.findall(narrative.upper())}


def _row(partner_id: str, method: str, amount_minor: int, currency: str, requested_by: str) -> dict[str, Any]:
    now, row_id = utc_now(), new_id(KIND.id_prefix)
    return {
        "id": row_id, "partner_id": partner_id, "workflow_id": KIND.workflow_id(row_id),
        "requested_by": requested_by, "stage": "requested", "method": method, "currency": currency,
        "amount_minor": amount_minor, "policy": {}, "created_at": now, "updated_at": now,
    }  # fmt: skip


async def begin(
    session: AsyncSession, *, partner_id: str, amount: Money, msisdn: Msisdn | None, requested_by: str
) -> TopUp:
    """A top-up by prompt to `msisdn`, or by bank transfer under the code it is given here."""
    row = _row(partner_id, "prompt" if msisdn else "bank_transfer", amount.minor, amount.currency, requested_by)
    row |= {"reference": payer_code(TOP_UP_CODE), "msisdn": msisdn.e164 if msisdn else None}
    return await _written(session, row, f"A top-up of {amount} was announced.")


async def of_incoming(session: AsyncSession, payment: IncomingPayment) -> TopUp:
    """The one top-up that was started by this credit, made if there is none. It names no living top-up, or one that has
    ended; whose it is, a person decides."""
    existing = (await session.exec(select(TopUp).where(TopUp.incoming_id == payment.id))).first()
    if existing is not None:
        return existing
    row = _row(payment.partner_id, "unannounced", payment.amount_minor, payment.currency, "bank")
    row |= {"incoming_id": payment.id, "bank_reference": payment.external_id}
    return await _written(session, row, f"The bank announced a credit, transaction {payment.external_id}.")


async def by_admin(session: AsyncSession, payment: IncomingPayment, *, requested_by: str) -> TopUp:
    """The top-up of money that a person books: it has ended as it begins, and no workflow stands behind it. What a bank
    announces later of the same money finds it taken."""
    amount = Money(payment.amount_minor, payment.currency)
    row = _row(payment.partner_id, "admin", payment.amount_minor, payment.currency, requested_by)
    row |= {
        "stage": "completed", "ended_at": row["created_at"], "incoming_id": payment.id,
        "bank_reference": payment.external_id, "credited_minor": payment.amount_minor,
    }  # fmt: skip
    made = await _written(session, row, f"{amount} booked by a person, bank transaction {payment.external_id}.")
    await timeline.write(
        session, made.workflow_id, "credited", f"{amount} credited.", tone="good", amount=amount.amount,
        bank_reference=payment.external_id,
    )  # fmt: skip
    return made


async def request(session: AsyncSession, row: TopUp) -> TopUpRequest:
    """The saga's input, made of its row: what came in unannounced, whom to ask for it, or the code to wait for."""
    amount = Money(row.amount_minor, row.currency)
    arrived = await incoming.arrived_by(session, row.incoming_id) if row.method == "unannounced" else None
    prompted = row.method == "prompt"
    return TopUpRequest.model_validate(
        {
            "top_up_id": row.id,
            "partner_id": row.partner_id,
            "workflow_id": row.workflow_id,
            "method": row.method,
            "amount": amount,
            "reference": await _named_in(session, row.partner_id, arrived) if arrived else row.reference,
            "prompt": prompts.instruction(row, row.msisdn, row.reference, amount, "bank", "Top-up")
            if prompted
            else None,
            "arrived": arrived,
            "policy": TopUpPolicy.model_validate(row.policy),
        }
    )


async def _named_in(session: AsyncSession, partner_id: str, arrived: ArrivedPayment) -> str | None:
    """A second or a late transfer under the code of a top-up that has ended is as plainly that partner's."""
    named = await named_by(session, codes_in(arrived.reference), living=False)
    codes = [other.reference for other in named if other.partner_id == partner_id]
    return codes[0] if len(codes) == 1 == len(named) else None


async def waiting_for(session: AsyncSession, payment: IncomingPayment) -> TopUp | None:
    """The living top-up whose code the payer wrote on the transfer; nothing but the whole code of one alone counts."""
    named = await named_by(session, codes_in(payment.reference), living=True)
    ours = [row for row in named if row.partner_id == payment.partner_id and row.currency == payment.currency]
    return ours[0] if len(ours) == 1 else None


def prompt_policy(row: TopUp) -> PromptPolicy:
    return TopUpPolicy.model_validate(row.policy).prompt


async def named_by(session: AsyncSession, codes: set[str], *, living: bool) -> list[TopUp]:
    """The top-ups with these codes; `living` leaves out those whose saga has ended."""
    query = select(TopUp).where(col(TopUp.reference).in_(sorted(codes)))
    if living:
        query = query.where(col(TopUp.ended_at).is_(None))
    return list(await session.exec(query.order_by(col(TopUp.id))))


async def _written(session: AsyncSession, row: dict[str, Any], text: str) -> TopUp:
    await saga_rows.add(session, TopUp, row)
    await timeline.write(session, row["workflow_id"], "requested", text)
    made = await session.get(TopUp, row["id"])
    assert made is not None
    return made
