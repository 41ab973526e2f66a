"""What every saga shares: money in flight is never interrupted, a saga ends unpaid in one place only, state is visible.

There is no stack of undo steps that an exception unwinds: a read timeout on a payout is *not knowing*, and such a stack
would refund on it. A saga undoes where it catches `EndsUnpaid`, which is raised only when nothing can have been paid, and
its undo step tolerates that the step it undoes never happened (docs/adr/0003-one-place-undoes.md).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from models.messages.errors import ErrorFacts
    from temporal.search_attributes import STAGE
    from workflows.saga import policies
    from workflows.saga.failures import facts_of

T = TypeVar("T")
Order = TypeVar("Order")
Answer = TypeVar("Answer")


class StepFailed(Exception):
    """A step ended without its result; `reason` says what that means. One that nobody catches parks the saga."""

    def __init__(self, reason: ErrorFacts) -> None:
        super().__init__(reason.code)
        self.reason = reason


class EndsUnpaid(Exception):
    """Raised inside a saga when it is certain that nothing was paid: everything that was done may be undone. `ending` is
    one of the saga's own stages."""

    def __init__(self, ending: str, code: str, detail: str, reference: str | None = None) -> None:
        super().__init__(code)
        self.ending, self.code, self.detail, self.reference = ending, code, detail, reference


class Saga:
    """The base of a saga's workflow class. All state is set here, before any message can arrive."""

    def __init__(self) -> None:
        self.stage = "requested"
        self.waiting_for: str | None = None
        self.since: datetime = workflow.now()
        self.cancel_wanted = False
        self.reason: ErrorFacts | None = None  # why the last step failed

    async def protect(self, business: Coroutine[Any, Any, T]) -> T:
        """Runs the business to its end. Cancelling the workflow does not interrupt it: it becomes a command that the next
        safe point honours, because a step whose result is thrown away may have moved money."""
        task = asyncio.create_task(business)
        while True:
            try:
                result = await asyncio.shield(task)
                break
            except asyncio.CancelledError:
                if task.done():
                    result = task.result()
                    break
                self.cancel_wanted = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        return result

    async def step(
        self,
        activity: Callable[[Any, Order], Awaitable[Answer]],
        order: Order,
        summary: str,
        policy: policies.ActivityPolicy = policies.BOOKS,
        *,
        within: timedelta | None = None,
    ) -> Answer:
        """One activity of the business. Raises StepFailed, whose reason is remembered and shown."""
        try:
            answer: Answer = await workflow.execute_activity_method(
                activity, order, summary=summary, **policy.options(schedule_to_close=within)
            )
        except ActivityError as error:
            self.reason = facts_of(error)
            raise StepFailed(self.reason) from error
        return answer

    def safe_point(self) -> None:
        """Nothing is in flight here: a command to cancel ends the saga."""
        if self.cancel_wanted:
            raise EndsUnpaid("withdrawn", "cancelled", "It was cancelled before any money had moved.")

    async def until(self, met: Callable[[], Any], *, timeout: timedelta | None = None, waiting_for: str) -> bool:
        """Waits until `met()` holds; False if the time ran out first. Shown as what the saga waits for."""
        if met():
            return True
        self.waiting_for = waiting_for
        self._show()
        try:
            await workflow.wait_condition(lambda: bool(met()), timeout=timeout, timeout_summary=waiting_for)
            return True
        except TimeoutError:
            return False
        finally:
            self.waiting_for = None

    def enter(self, stage: str, *, searchable: bool = False) -> None:
        """Moves to a stage. `searchable` writes it to the search attribute, which costs one history event: done for
        the stages that somebody looks for (waiting, review, the end), not for those that pass in a second."""
        self.stage, self.since = stage, workflow.now()
        self._show()
        if searchable:
            workflow.upsert_search_attributes([STAGE.value_set(stage)])

    def _show(self) -> None:
        lines = [f"**{self.stage}** since {self.since:%Y-%m-%d %H:%M:%S} UTC"]
        if self.waiting_for:
            lines.append(f"Waiting for {self.waiting_for}.")
        workflow.set_current_details("\n\n".join(lines + self.details()))

    def details(self) -> list[str]:
        """More lines for the Temporal UI; encrypted like every payload, but still without phone numbers."""
        return []
