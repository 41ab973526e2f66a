"""Payments that came in: one row each, however many channels announce them, claimed by one saga."""

from sqlalchemy import ARRAY, Text, any_, exists, literal, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.errors import Conflict
from core.ids import INCOMING, new_id
from core.money import Money
from core.msisdn import Msisdn
from core.outside import provider_id
from models import kinds
from models.messages.saga.arrived_payments import AnnouncedPayment, ArrivedPayment, Channel
from models.tables.base import table_of
from models.tables.saga.incoming_payment import IncomingPayment
from store.platform import claims
from store.saga import search_terms

_INCOMING = table_of(IncomingPayment)


async def record(session: AsyncSession, payment: AnnouncedPayment) -> IncomingPayment:
    """The row of this payment, made or completed by what this channel knows of it, and locked.

    Raises Conflict (code "payment_differs") if another channel told another amount or account of the same payment:
    nobody may choose between them but a person. Raises Conflict (code "payment_elsewhere") if it came in on an outside
    account on which another partner has it.
    """
    now = utc_now()
    source = await claims.source_of(session, payment.partner_id, payment.provider, payment.account)
    values = {
        "id": new_id(INCOMING), "partner_id": payment.partner_id, "provider": payment.provider,
        "external_id": payment.external_id, "source": source, "account": payment.account,
        "amount_minor": payment.amount.minor, "currency": payment.amount.currency, "reference": payment.reference[:200],
        "payer_name": payment.payer_name[:200], "happened_at": payment.happened_at,
        "payer_phone": payment.payer_phone.e164 if payment.payer_phone else None,
        "announced": [payment.channel], "created_at": now, "updated_at": now,
    }  # fmt: skip
    made = await session.exec(insert(_INCOMING).values(values).on_conflict_do_nothing().returning(_INCOMING.c.id))
    if made.first() is not None:
        await search_terms.write(session, IncomingPayment, values)
    row = (
        await session.exec(
            select(IncomingPayment)
            .where(
                IncomingPayment.partner_id == payment.partner_id,
                IncomingPayment.provider == payment.provider,
                IncomingPayment.external_id == payment.external_id,
            )
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).first()
    if row is None or (row.source is None and await _is_elsewhere(session, payment, source)):
        raise Conflict("This payment came in on an account of another partner.", code="payment_elsewhere")
    same_account = row.account == payment.account or not (row.account and payment.account)
    if (row.amount_minor, row.currency) != (payment.amount.minor, payment.amount.currency) or not same_account:
        raise Conflict(
            f"One payment was announced as {Money(row.amount_minor, row.currency)} on {row.account} and as "
            f"{payment.amount} on {payment.account}.",
            code="payment_differs",
            incoming_id=row.id,
        )
    if payment.channel not in row.announced:
        row.announced = [*row.announced, payment.channel]
        row.account = row.account or payment.account  # a prompt's callback does not name it
        row.source = row.source or source
        row.reference = row.reference or payment.reference[:200]
        row.payer_name = row.payer_name or payment.payer_name[:200]
        row.payer_phone = row.payer_phone or (payment.payer_phone.e164 if payment.payer_phone else None)
        row.updated_at = now
        session.add(row)
        await session.flush()
        await search_terms.write(session, IncomingPayment, row.model_dump())
    return row


async def _is_elsewhere(session: AsyncSession, payment: AnnouncedPayment, source: str | None) -> bool:
    found = await session.exec(
        select(IncomingPayment.id).where(
            IncomingPayment.provider == payment.provider,
            IncomingPayment.source == source,
            IncomingPayment.external_id == payment.external_id,
            IncomingPayment.partner_id != payment.partner_id,
        )
    )
    return source is not None and found.first() is not None


async def claim(session: AsyncSession, incoming_id: str, workflow_id: str) -> str:
    """Makes the payment this saga's if nobody has it; returns whose it is."""
    taken = await session.exec(
        update(_INCOMING)
        .where(_INCOMING.c.id == incoming_id, _INCOMING.c.claimed_by.is_(None))
        .values(claimed_by=workflow_id, updated_at=utc_now())
        .returning(_INCOMING.c.claimed_by)
    )
    if taken.first() is not None:
        return workflow_id
    holder = await session.exec(select(IncomingPayment.claimed_by).where(IncomingPayment.id == incoming_id))
    found = holder.one()
    assert found is not None
    return found


async def pass_on(session: AsyncSession, incoming_id: str, *, from_: str, to: str) -> bool:
    """The saga that a payment was meant for would not have it: another takes it over."""
    passed = await session.exec(
        update(_INCOMING)
        .where(_INCOMING.c.id == incoming_id, _INCOMING.c.claimed_by == from_)
        .values(claimed_by=to, updated_at=utc_now())
        .returning(_INCOMING.c.id)
    )
    return passed.first() is not None


async def get(session: AsyncSession, incoming_id: str) -> IncomingPayment | None:
    return await session.get(IncomingPayment, incoming_id, populate_existing=True)


async def unfinished(session: AsyncSession, partner_id: str, provider: str, external_ids: list[str]) -> set[str]:
    """Those of these payments that were announced and claimed for a saga which has not taken them yet: a crash may have
    come between, so whoever sees them again tells the saga again."""
    takers = (table_of(kind.row_class) for kind in kinds.KINDS if kind.takes_money)
    # One question for each table: asked together they would be a product, which is empty while either table is.
    taken = or_(*(exists().where(table.c.incoming_id == _INCOMING.c.id) for table in takers))
    found = await session.exec(
        select(IncomingPayment.external_id).where(
            IncomingPayment.partner_id == partner_id,
            IncomingPayment.provider == provider,
            _INCOMING.c.external_id == any_(literal(_spelt(external_ids), ARRAY(Text))),
            ~taken,
        )
    )
    return _named(external_ids, set(found))


async def of_external(
    session: AsyncSession, partner_id: str, provider: str, external_id: str
) -> IncomingPayment | None:
    found = await session.exec(
        select(IncomingPayment).where(
            IncomingPayment.partner_id == partner_id,
            IncomingPayment.provider == provider,
            IncomingPayment.external_id == provider_id(external_id),
        )
    )
    return found.first()


async def known(session: AsyncSession, partner_id: str, provider: str, external_ids: list[str]) -> set[str]:
    """Those of these payments that some channel has announced, as the caller spells them."""
    found = await session.exec(
        select(IncomingPayment.external_id).where(
            IncomingPayment.partner_id == partner_id,
            IncomingPayment.provider == provider,
            _INCOMING.c.external_id == any_(literal(_spelt(external_ids), ARRAY(Text))),
        )
    )
    return _named(external_ids, set(found))


def _spelt(external_ids: list[str]) -> list[str]:
    """As they are kept; asked for as one array, however long a list is."""
    return [provider_id(one) for one in external_ids]


def _named(external_ids: list[str], found: set[str]) -> set[str]:
    return {one for one in external_ids if provider_id(one) in found}


def arrived(row: IncomingPayment, channel: Channel | None = None) -> ArrivedPayment:
    """The row as a saga sees it."""
    return ArrivedPayment(
        incoming_id=row.id,
        provider=row.provider,
        external_id=row.external_id,
        account=row.account,
        amount=Money(row.amount_minor, row.currency),
        reference=row.reference,
        payer_name=row.payer_name,
        payer_phone=Msisdn(row.payer_phone) if row.payer_phone else None,
        happened_at=row.happened_at,
        channel=channel or row.announced[-1],
    )


async def arrived_by(session: AsyncSession, incoming_id: str | None) -> ArrivedPayment:
    """The payment that a saga was started by."""
    assert incoming_id is not None
    payment = await get(session, incoming_id)
    assert payment is not None
    return arrived(payment)
