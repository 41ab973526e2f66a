"""Payments that arrived by themselves."""

from models.messages.saga.arrived_payments import ArrivedPayment
from models.messages.saga.prompts import Collected


def collected_from(payment: ArrivedPayment, leg_id: str) -> Collected:
    """A payment that some channel announced, as what came in."""
    return Collected(
        leg_id=leg_id,
        receipt=payment.external_id,
        amount=payment.amount,
        paid_at=payment.happened_at,
        incoming_id=payment.incoming_id,
    )
