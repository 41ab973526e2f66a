"""A bank's rails, the same for every dialect: payouts to accounts and into float, and prompts by its till."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from core.clock import utc_now
from core.errors import InvalidRequest
from models.messages.saga.payouts import BankOrder
from models.messages.saga.reports import Report
from providers.banking import BankAccount, BankPort, FloatOrder, Inquiry, TransferOrder
from providers.collecting import PromptOrder, PromptQuery
from providers.ports import Accepted, Destination, PayoutOrder, PayoutQuery

_TITLE: Final = "the bank"


@dataclass(frozen=True, slots=True)
class BankPayouts:
    """Implements PayoutRail. `settlement_window`: how long after our record last changed a bank that knows references may
    still not know one that it will carry out."""

    bank: BankPort
    settlement_window: timedelta
    title: str = _TITLE

    def paying_account(self, to: Destination) -> str:
        return _bank_order(to).source_account

    async def send(self, order: PayoutOrder) -> Accepted:
        """Raises as the dialect's `transfer` and `buy_float`."""
        wanted = _bank_order(order.to)
        source = BankAccount(wanted.source_account, wanted.source_name)
        if wanted.kind == "bank_transfer":
            return await self.bank.transfer(
                TransferOrder(
                    reference=order.reference,
                    rail="pesalink" if wanted.bank_code else "internal",
                    source=source,
                    destination=BankAccount(wanted.account, wanted.name, wanted.bank_code),
                    amount=order.amount,
                    narration=order.remarks,
                    send_by=order.send_by,
                )
            )
        return await self.bank.buy_float(
            FloatOrder(
                reference=order.reference,
                operator=wanted.operator or "mpesa",
                float_account=wanted.account,
                float_name=wanted.name,
                source=source,
                amount=order.amount,
                narration=order.remarks,
                send_by=order.send_by,
            )
        )

    async def query(self, query: PayoutQuery) -> Report:
        """By the bank's status query, or by its statement where it has none."""
        wanted = _bank_order(query.to)
        found = await self.bank.find(
            Inquiry(
                reference=query.reference,
                what="float" if wanted.kind == "float_purchase" else "transfer",
                source=BankAccount(wanted.source_account, wanted.source_name),
                amount=query.amount,
                sent_at=query.sent_at,
            )
        )
        knows_references = self.bank.capabilities.status_query
        if found.code == "not_found" and knows_references and utc_now() - query.changed_at > self.settlement_window:
            # Only a bank that knows references, and only after its window: until then "not found" may mean "not yet".
            detail = "The bank does not know the instruction after its window."
            return found.model_copy(update={"state": "failed", "detail": detail})
        return found


@dataclass(frozen=True, slots=True)
class BankPrompts:
    """Implements CollectionRail, where the bank has a till."""

    bank: BankPort
    title: str = _TITLE

    async def send(self, order: PromptOrder) -> Accepted:
        return await self.bank.prompt(order)

    async def query(self, query: PromptQuery) -> Report:
        return await self.bank.query_prompt(query)


def _bank_order(to: Destination) -> BankOrder:
    if not isinstance(to, BankOrder):
        raise InvalidRequest("The bank pays accounts only.", code="wrong_rail", field="bank")
    return to
