"""The tin as a rail: money out to a person's purse, and in from one."""

from core.errors import InvalidRequest
from core.msisdn import Msisdn
from models.messages.saga.reports import Report
from providers.collecting import PromptOrder, PromptQuery
from providers.ports import Accepted, CollectionRail, Destination, PayoutOrder, PayoutQuery, PayoutRail, Unanswered
from providers.tin.client import Tin


class TinPayouts(PayoutRail):
    title = "the tin"

    def __init__(self, tin: Tin) -> None:
        self._tin = tin

    def paying_account(self, to: Destination) -> str:
        _purse(to)
        return self._tin.account

    async def send(self, order: PayoutOrder) -> Accepted:
        return await self._tin.pay(order, _purse(order.to))

    async def query(self, query: PayoutQuery) -> Report | Unanswered:
        return await self._tin.find("payouts", query.reference)


class TinPrompts(CollectionRail):
    title = "the tin"

    def __init__(self, tin: Tin) -> None:
        self._tin = tin

    async def send(self, order: PromptOrder) -> Accepted:
        return await self._tin.prompt(order)

    async def query(self, query: PromptQuery) -> Report:
        return await self._tin.find("prompts", query.provider_reference)


def _purse(to: Destination) -> Msisdn:
    if not isinstance(to, Msisdn):
        raise InvalidRequest("The tin pays into people's purses alone.", code="wrong_rail")
    return to
