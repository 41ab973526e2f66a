"""Payments whose announcement was lost are pulled from the lists that providers keep."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.scheduled.payment_pull import PaymentPulling
    from activities.scheduled.statement_pull import StatementPulling
    from models.messages.saga.payment_pulls import PaymentsPulled, PullPayments
    from workflows.saga import policies


@workflow.defn(name="PaymentPull")
class PaymentPull:
    """Recovers payments whose confirmation was lost (schedule `payment-pull/<partner>`)."""

    @workflow.run
    async def run(self, order: PullPayments) -> PaymentsPulled:
        return await workflow.execute_activity_method(PaymentPulling.pull, order, **policies.PULL.options())


@workflow.defn(name="BankStatementPull")
class BankStatementPull:
    """Recovers credits whose push was lost (schedule `bank-statement/<partner>`)."""

    @workflow.run
    async def run(self, order: PullPayments) -> PaymentsPulled:
        return await workflow.execute_activity_method(StatementPulling.pull, order, **policies.PULL_BANK.options())
