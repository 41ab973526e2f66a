"""What happens around customers' payments: lost announcements are pulled, account numbers checked, recorded payments told."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.scheduled.payment_watch import PaymentWatching
    from activities.scheduled.statement_watch import StatementWatching
    from models.messages.lending.payment_watch import (
        AccountChecked,
        CheckAccount,
        PaymentRecorded,
        PaymentsPulled,
        PaymentTold,
        PullPayments,
        PullStatement,
    )
    from workflows.saga import policies


@workflow.defn(name="PaymentPull")
class PaymentPull:
    """Recovers payments whose confirmation was lost (schedule `payment-pull/<partner>`)."""

    @workflow.run
    async def run(self, order: PullPayments) -> PaymentsPulled:
        return await workflow.execute_activity_method(PaymentWatching.pull, order, **policies.PULL.options())


@workflow.defn(name="BankStatementPull")
class BankStatementPull:
    """Recovers credits whose push was lost (schedule `bank-statement/<partner>`)."""

    @workflow.run
    async def run(self, order: PullStatement) -> PaymentsPulled:
        return await workflow.execute_activity_method(StatementWatching.pull, order, **policies.PULL_BANK.options())


@workflow.defn(name="AccountCheck")
class AccountCheck:
    """Asked while M-Pesa waits for the answer to a validation."""

    @workflow.run
    async def run(self, order: CheckAccount) -> AccountChecked:
        return await workflow.execute_activity_method(
            PaymentWatching.check_account, order, **policies.VALIDATE.options()
        )


@workflow.defn(name="PaymentNotice")
class PaymentNotice:
    """A payment that somebody recorded in Fineract leads to a confirmation, never to a second posting (A11)."""

    @workflow.run
    async def run(self, order: PaymentRecorded) -> PaymentTold:
        return await workflow.execute_activity_method(PaymentWatching.notify_recorded, order, **policies.TELL.options())
