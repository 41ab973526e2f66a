"""Wallet top-ups: announced by the partner under a code of their own, or found as a credit that names none."""

import re
from typing import Any, Final

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import TOP_UP, TOP_UP_CODE, new_id, payer_code
from core.money import Money
from core.msisdn import Msisdn
from models.tables.base import table_of
from models.tables.lending.wallet_top_up import TopUp
from models.tables.saga.incoming_payment import IncomingPayment
from store.saga import saga_rows, timeline

_TOP_UPS = table_of(TopUp)
KIND = "wallet-top-up"

# Our code as a whole word, with or without the blanks and hyphens that people and banks put in. Nothing else is evidence:
# matching digits in a narrative credited the wrong customer (SCARS).
_CODE: Final = re.compile(r"(?<![A-Z0-9])KV[- ]?T[- ]?([0-9A-HJKMNP-TV-Z]{4})[- ]?([0-9A-HJKMNP-TV-Z]{4})(?![A-Z0-9])")


def codes_in(narrative: str) -> set[str]:
    """Every top-up code that a narrative holds as a whole word."""
    return {f"KVT{first}{second}" for first, second in _CODE.findall(narrative.upper())}


def _row(partner_id: str, method: str, amount_minor: int, currency: str, requested_by: str) -> dict[str, Any]:
    now, row_id = utc_now(), new_id(TOP_UP)
    return {
        "id": row_id, "partner_id": partner_id, "workflow_id": saga_rows.workflow_id_of(KIND, row_id),
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


async def named_by(session: AsyncSession, codes: set[str], *, living: bool) -> list[TopUp]:
    """The top-ups with these codes; `living` leaves out those whose saga has ended."""
    query = select(TopUp).where(col(TopUp.reference).in_(sorted(codes)))
    if living:
        query = query.where(col(TopUp.ended_at).is_(None))
    return list(await session.exec(query.order_by(col(TopUp.id))))


async def _written(session: AsyncSession, row: dict[str, Any], text: str) -> TopUp:
    await session.exec(insert(_TOP_UPS).values(row))
    await timeline.write(session, row["workflow_id"], "requested", text)
    made = await session.get(TopUp, row["id"])
    assert made is not None
    return made
