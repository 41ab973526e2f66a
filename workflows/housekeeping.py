"""Scheduled care of our own tables."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.sweeps import Sweeps
    from models.messages.disbursements import BooksChecked, Swept
    from workflows import policies


@workflow.defn(name="Sweep")
class Sweep:
    """Delivers webhooks that no saga has taken, starts claimed sagas that never started."""

    @workflow.run
    async def run(self) -> Swept:
        return await workflow.execute_activity_method(Sweeps.sweep, **policies.SWEEP.options())


@workflow.defn(name="BooksCheck")
class BooksCheck:
    """The nightly check that the books balance."""

    @workflow.run
    async def run(self) -> BooksChecked:
        return await workflow.execute_activity_method(Sweeps.check_books, **policies.SWEEP.options())
