"""An account number is checked before a customer's payment to it is made."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.lending.account_check import AccountChecks
    from models.messages.saga.payment_pulls import AccountChecked, CheckAccount
    from workflows.saga import policies


@workflow.defn(name="AccountCheck")
class AccountCheck:
    """Asked while M-Pesa waits for the answer to a validation."""

    @workflow.run
    async def run(self, order: CheckAccount) -> AccountChecked:
        return await workflow.execute_activity_method(AccountChecks.check_account, order, **policies.VALIDATE.options())
