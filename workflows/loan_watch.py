"""One poll of one partner's core-banking system; a schedule runs it every few minutes."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.loan_watch import LoanWatching
    from models.messages.disbursements import LoansWatched, WatchLoans
    from workflows import policies


@workflow.defn(name="LoanWatch")
class LoanWatch:
    """Finds approved loans of enabled products and starts one disbursement for each."""

    @workflow.run
    async def run(self, order: WatchLoans) -> LoansWatched:
        return await workflow.execute_activity_method(LoanWatching.watch, order, **policies.WATCH.options())
