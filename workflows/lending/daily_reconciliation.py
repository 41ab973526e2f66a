"""One partner's day, compared with everybody who knows of its money.

begin         the day's row; which moments are the day where the partner is
loans         each disbursement: M-Pesa's payments, our row, Fineract's transactions
payments      each customer's payment on each account in Fineract
mpesa         M-Pesa's list of payments, its reports of payouts
bank          each line of the statement, and what lies on the accounts
finish        what was checked and what was not

Nothing moves. What differs is a case, once; what does not differ any more closes it. A part that cannot be asked for is told
and asked for again by the next run.
"""

from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.lending.bookings import Bookings
    from activities.scheduled.reconciling import Reconciling
    from models.messages.reconciliation import (
        CheckRows,
        ComparisonsStarted,
        DayCompared,
        DayOfPartner,
        Part,
        PartChecked,
        ReconcileDay,
        RowsChecked,
    )
    from workflows.saga import policies
    from workflows.saga.policies import ActivityPolicy


@workflow.defn(name="DailyReconciliation")
class DailyReconciliation:
    """`daily-reconciliation/<partner>/<day>`; the same day may be compared again."""

    @workflow.run
    async def run(self, order: ReconcileDay) -> DayCompared:
        of = await workflow.execute_activity_method(Reconciling.begin, order, **policies.BOOKS.options())
        compared = DayCompared(
            of=of,
            parts=(
                await self._rows(of, "loans", Bookings.loans),
                await self._rows(of, "payments", Bookings.payments),
                await self._whole(of, "mpesa", Reconciling.mpesa, policies.PULL),
                await self._whole(of, "bank", Reconciling.bank, policies.PULL_BANK),
            ),
        )
        await workflow.execute_activity_method(Reconciling.finish, compared, **policies.BOOKS.options())
        return compared

    async def _rows(self, of: DayOfPartner, part: Part, method: Callable[..., Any]) -> PartChecked:
        """Page by page, until every row was looked at or one page cannot be."""
        seen = different = 0
        after = ""
        while True:
            order = CheckRows(of=of, part=part, after=after)
            try:
                page: RowsChecked = await workflow.execute_activity_method(method, order, **policies.COMPARE.options())
            except ActivityError as error:
                return _not_checked(part, error, seen, different)
            seen, different = seen + page.seen, different + page.different
            if page.next_after is None:
                return PartChecked(part=part, state="checked", seen=seen, different=different)
            after = page.next_after

    async def _whole(
        self, of: DayOfPartner, part: Part, method: Callable[..., Any], policy: ActivityPolicy
    ) -> PartChecked:
        try:
            found: RowsChecked = await workflow.execute_activity_method(method, of, **policy.options())
        except ActivityError as error:
            return _not_checked(part, error)
        return PartChecked(part=part, state="checked", seen=found.seen, different=found.different)


@workflow.defn(name="ReconciliationsDue")
class ReconciliationsDue:
    """Begins what is due, every hour (schedule `daily-reconciliation`)."""

    @workflow.run
    async def run(self) -> ComparisonsStarted:
        return await workflow.execute_activity_method(Reconciling.start_due, **policies.SWEEP.options())


def _not_checked(part: Part, error: ActivityError, seen: int = 0, different: int = 0) -> PartChecked:
    cause = error.cause
    refused = cause if isinstance(cause, ApplicationError) else None
    return PartChecked(
        part=part,
        state="absent" if refused is not None and refused.type == "no_connection" else "not_checked",
        seen=seen,
        different=different,
        detail=(refused.message if refused is not None else "It did not answer in time.")[:300],
    )
