"""Scheduled care of our own tables."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.scheduled.approval_care import ApprovalCare
    from activities.scheduled.retention import Retaining
    from activities.scheduled.sweeps import Sweeps
    from models.messages.housekeeping import BooksChecked, Erased, Swept
    from workflows.saga import policies

# Of four minutes each.
_PASSES = 12


@workflow.defn(name="Sweep")
class Sweep:
    """Delivers webhooks that no saga has taken, starts claimed sagas that never started; lets requests for approval expire
    and tells sagas what has become of theirs."""

    @workflow.run
    async def run(self) -> Swept:
        await workflow.execute_activity_method(ApprovalCare.care, **policies.SWEEP.options())
        return await workflow.execute_activity_method(Sweeps.sweep, **policies.SWEEP.options())


@workflow.defn(name="Retention")
class Retention:
    """The nightly erasing of personal data whose policy time has passed. What is left after these tries waits a night."""

    @workflow.run
    async def run(self) -> Erased:
        rows = 0
        for _ in range(_PASSES):
            done = await workflow.execute_activity_method(Retaining.erase, **policies.SWEEP.options())
            rows += done.rows
            if done.finished:
                return Erased(rows=rows)
        return Erased(rows=rows, finished=False)


@workflow.defn(name="BooksCheck")
class BooksCheck:
    """The nightly check that the books balance."""

    @workflow.run
    async def run(self) -> BooksChecked:
        return await workflow.execute_activity_method(Sweeps.check_books, **policies.SWEEP.options())
