"""Payments that came in, as channels announce them and sagas take them."""

from typing import Literal

from pydantic import AwareDatetime

from core.money import Money
from core.msisdn import Msisdn
from models.messages.base import Message, ProviderId
from models.providers import RailName

Channel = Literal["confirmation", "push", "pull", "statement", "callback", "admin"]


class ArrivedPayment(Message):
    """Money that came in, as a saga sees it. `incoming_id` names our row of it: one payment, one row, one saga."""

    incoming_id: str
    provider: RailName
    external_id: ProviderId
    account: str
    amount: Money
    reference: str
    payer_name: str = ""
    payer_phone: Msisdn | None = None
    happened_at: AwareDatetime
    channel: Channel


class AnnouncedPayment(Message):
    """What a channel announced, before any row or saga of it is known. Kept in the inbox until it was taken in."""

    partner_id: str
    provider: RailName
    external_id: ProviderId
    account: str
    amount: Money
    reference: str
    payer_name: str = ""
    payer_phone: Msisdn | None = None
    happened_at: AwareDatetime
    channel: Channel


class PaymentTaken(Message):
    """The saga's answer to a payment that arrived."""

    effect: Literal["settled", "agrees", "refused"]
    stage: str
