"""One poll of one partner's core-banking system, which a schedule runs every few minutes, and a look at one loan."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.scheduled.loan_watch import LoanWatching
    from models.messages.inbound import LoanHint, LoanLookedAt
    from models.messages.lending.loan_watch import LoansWatched, WatchLoans
    from workflows.saga import policies


@workflow.defn(name="LoanWatch")
class LoanWatch:
    """Finds approved loans of enabled products and starts one disbursement for each."""

    @workflow.run
    async def run(self, order: WatchLoans) -> LoansWatched:
        return await workflow.execute_activity_method(LoanWatching.watch, order, **policies.WATCH.options())


@workflow.defn(name="LoanLook")
class LoanLook:
    """A hook told of one loan: it is looked at before anything is claimed for it."""

    @workflow.run
    async def run(self, hint: LoanHint) -> LoanLookedAt:
        return await workflow.execute_activity_method(LoanWatching.look, hint, **policies.LOOK_AT_LOAN.options())
