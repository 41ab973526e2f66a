"""Small jobs on a partner's outside systems that the API asks for: it never calls a provider itself."""

from contextlib import suppress

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.clients.partner_connections import PartnerConnections
    from models.messages.connections.jobs import (
        BalanceTold,
        CheckConnection,
        ConnectionChecked,
        PaybillRegistered,
        QueryBalance,
        RegisterPaybill,
    )
    from workflows.saga import policies
    from workflows.saga.rails import RAILS


@workflow.defn(name="ConnectionCheck")
class ConnectionCheck:
    """Tries a connection before it is kept. What the connection works for is certain for M-Pesa only once the answer to
    the question about the short code's balance has come."""

    def __init__(self) -> None:
        self.told: BalanceTold | None = None

    @workflow.run
    async def run(self, order: CheckConnection) -> ConnectionChecked:
        checked: ConnectionChecked = await workflow.execute_activity_method(
            PartnerConnections.check, order, **policies.CHECK.options()
        )
        if not checked.ok or checked.certain:
            return checked
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self.told is not None, timeout=order.answer_within)
        if self.told is None or (self.told.ok and not self.told.certain):
            return checked
        if not self.told.ok:
            return ConnectionChecked(ok=False, code=self.told.code, detail=self.told.detail, field="shortcode")
        return checked.model_copy(update={"certain": True})

    @workflow.signal(name="balance_told")
    async def balance_told(self, told: BalanceTold) -> None:
        self.told = told


@workflow.defn(name="BalanceInquiry")
class BalanceInquiry:
    """Asks M-Pesa for the partner's balances; the answer comes by callback into `provider_balances`."""

    @workflow.run
    async def run(self, order: QueryBalance) -> None:
        await workflow.execute_activity_method(
            PartnerConnections.query_balance, order, **RAILS["daraja"].query.options()
        )


@workflow.defn(name="PaybillRegistration")
class PaybillRegistration:
    """Registers at M-Pesa where payments to the partner's short code are announced, and that we may list them."""

    @workflow.run
    async def run(self, order: RegisterPaybill) -> PaybillRegistered:
        return await workflow.execute_activity_method(
            PartnerConnections.register_paybill, order, **policies.REGISTER.options()
        )
