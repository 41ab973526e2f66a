"""Payments that came in by M-Pesa and whose announcement was lost: pulled from its list."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.client import Client

from activities.clients.connections import Connections
from core.clock import utc_now
from inbound.delivery import Desk, deliver
from inbound.money_in import announcement
from models.messages.inbound import CaseFound, Reading
from models.messages.saga.arrived_payments import AnnouncedPayment
from models.messages.saga.payment_pulls import PaymentsPulled, PullPayments
from providers.collecting import OddRow, PaymentSeen
from store import pulse
from store.database import Database
from store.platform import inbox
from store.saga import incoming

# M-Pesa keeps the list for 48 hours (daraja.md 5); an hour less, so that its clock and ours may differ.
_LOOK_BACK: Final = timedelta(hours=47)


@dataclass(frozen=True)
class PaymentPulling:
    database: Database
    connections: Connections
    client: Client

    @activity.defn(name="payments.pull")
    async def pull(self, order: PullPayments) -> PaymentsPulled:
        """Reads the short code's list and puts into the inbox what no channel has announced, and what no saga has taken
        although one did. From there it is delivered like any confirmation: a saga that does not answer holds up no other
        payment. Every pull overlaps with those before, so one that fails loses nothing."""
        async with self.database.transaction() as session:
            daraja = await self.connections.daraja(session, order.partner_id)
        now = utc_now()
        pulled = await daraja.pull_payments(now - _LOOK_BACK, now)
        seen = pulled.payments
        async with self.database.transaction() as session:
            await pulse.watched(session, "daraja", order.partner_id)
            ids = [one.external_id for one in seen]
            known = await incoming.known(session, order.partner_id, "daraja", ids)
            again = await incoming.unfinished(session, order.partner_id, "daraja", ids)
            missed = [one for one in seen if one.external_id not in known or one.external_id in again]
            kept = [await inbox.store(session, announcement(_announced(order.partner_id, one))) for one in missed]
            for row in pulled.odd:
                await _tell_odd(session, order.partner_id, row)
        new = [inbox_id for inbox_id, is_new in kept if is_new]
        desk = Desk(self.client, self.database, self.connections.box)
        for number, inbox_id in enumerate(new):
            await deliver(desk, inbox_id)
            activity.heartbeat(number)
        return PaymentsPulled(seen=len(seen), recovered=len(new))


async def _tell_odd(session: AsyncSession, partner_id: str, row: OddRow) -> None:
    """A row that is perhaps a customer's payment and cannot be taken for one: shown to a person once, whatever becomes of
    the case."""
    if row.reason == "not_a_payment":
        return
    reading = Reading(
        provider="daraja",
        kind="unreadable",
        external_id=f"{partner_id}:pulled-row:{row.row_id}",
        body={"reason": row.reason, "detail": row.detail},
        report={},
        partner_id=partner_id,
        outcome="unclaimed",
        case=CaseFound(
            kind="payment_row_unreadable",
            summary=f"M-Pesa's list of payments has a row that cannot be taken for one: {row.detail}.",
            evidence={"reason": row.reason},
        ),
    )
    await inbox.store(session, reading)


def _announced(partner_id: str, seen: PaymentSeen) -> AnnouncedPayment:
    return AnnouncedPayment(
        partner_id=partner_id,
        provider="daraja",
        external_id=seen.external_id,
        account=seen.account,
        amount=seen.amount,
        reference=seen.reference,
        payer_name=seen.payer_name,
        payer_phone=seen.payer_phone,
        happened_at=seen.happened_at,
        channel="pull",
    )
