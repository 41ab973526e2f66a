"""M-Pesa's rails: payouts to phones (B2C) and prompts to payers (STK push)."""

from dataclasses import dataclass
from typing import Final

from core.errors import InvalidRequest
from core.msisdn import Msisdn
from models.messages.saga.reports import Report
from providers.collecting import PromptOrder, PromptQuery
from providers.daraja.client import Daraja
from providers.daraja.requests import B2cOrder, StatusQuery
from providers.ports import Accepted, Destination, PayoutOrder, PayoutQuery, Unanswered

_TITLE: Final = "M-Pesa"


@dataclass(frozen=True, slots=True)
class MpesaPayouts:
    """Implements PayoutRail. `shortcode` is the one that pays."""

    daraja: Daraja
    shortcode: str
    title: str = _TITLE

    def paying_account(self, to: Destination) -> str:
        _phone(to)
        return self.shortcode

    async def send(self, order: PayoutOrder) -> Accepted:
        """Raises as `Daraja.send`."""
        return await self.daraja.send(
            B2cOrder(
                reference=order.reference,
                msisdn=_phone(order.to),
                amount=order.amount,
                remarks=order.remarks,
                result_url=order.result_url,
                timeout_url=order.timeout_url,
                send_by=order.send_by,
            )
        )

    async def query(self, query: PayoutQuery) -> Unanswered:
        """M-Pesa answers by callback. On v1 an acknowledgement that was lost leaves nothing to ask by."""
        asked = StatusQuery(query.reference, query.answer_url, query.answer_url, query.provider_reference)
        try:
            await self.daraja.query_status(asked)
        except InvalidRequest as error:
            if error.code != "nothing_to_ask":
                raise
            return Unanswered.nothing_to_ask_by
        return Unanswered.by_callback


@dataclass(frozen=True, slots=True)
class MpesaPrompts:
    """Implements CollectionRail."""

    daraja: Daraja
    title: str = _TITLE

    async def send(self, order: PromptOrder) -> Accepted:
        return await self.daraja.prompt(order)

    async def query(self, query: PromptQuery) -> Report:
        return await self.daraja.query_prompt(query)


def _phone(to: Destination) -> Msisdn:
    if not isinstance(to, Msisdn):
        raise InvalidRequest("M-Pesa pays phones only.", code="wrong_rail", field="msisdn")
    return to
