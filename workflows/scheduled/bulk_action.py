"""One command for many sagas.

run_chunk     the next sagas are told, some at once; each answer is a row
              again, until none is left; a pause where those that are left did not answer

Nothing of it is kept here: the rows say what was told and what was not (`store/saga/bulk_actions.py`), so that a workflow
that is reset or begun anew goes on from them.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.scheduled.bulk_acting import BulkActing
    from models.messages.bulk_actions import ChunkDone, RunBulkAction
    from workflows.saga import policies


@workflow.defn(name="BulkAction")
class BulkAction:
    """`bulk-action/<id>`. Its history is short: an action has at most 500 items, and each is tried a few times."""

    @workflow.run
    async def run(self, order: RunBulkAction) -> None:
        while True:
            done: ChunkDone = await workflow.execute_activity_method(
                BulkActing.run_chunk, order, **policies.BULK.options()
            )
            if done.left == 0:
                return
            workflow.set_current_details(f"{done.left} are left.")
            if done.pause:
                await workflow.sleep(policies.BULK_PAUSE)
