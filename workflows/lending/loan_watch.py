"""One poll of one lender's core-banking system, which a schedule runs every few minutes, a look at one loan, and the list of
its loan products."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.lending.loan_watch import LoanWatching
    from models.messages.lending.loan_watch import (
        LoanHint,
        LoanLookedAt,
        LoansWatched,
        ProductsSynced,
        SyncProducts,
        WatchLoans,
    )
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


@workflow.defn(name="LoanProductSync")
class LoanProductSync:
    """Fetches the partner's loan products from Fineract."""

    @workflow.run
    async def run(self, order: SyncProducts) -> ProductsSynced:
        return await workflow.execute_activity_method(LoanWatching.sync_products, order, **policies.WATCH.options())
