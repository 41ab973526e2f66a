"""Schedules, made by idempotent calls: an operator's pause survives a deploy, and an outage is not followed by a flood."""

from datetime import timedelta
from typing import Any, Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import Priority
from temporalio.service import RPCError, RPCStatusCode

from models.messages.lending.loan_watch import WatchLoans
from models.messages.lending.payment_watch import PullPayments, PullStatement
from temporal.queues import FLOWS_QUEUE

SWEEP_SCHEDULE: Final = "sweep"
BOOKS_SCHEDULE: Final = "books-check"
RETENTION_SCHEDULE: Final = "retention"


async def ensure_schedule(
    client: Client,
    schedule_id: str,
    workflow: str,
    argument: Any = None,
    *,
    every: timedelta,
    at_minute: int | None = None,
) -> None:
    """Makes the schedule, or brings its action and interval up to date, leaving its state (paused, notes) alone."""
    wanted = Schedule(
        action=ScheduleActionStartWorkflow(
            workflow,
            *([] if argument is None else [argument]),
            id=schedule_id,
            task_queue=FLOWS_QUEUE,
            static_summary=schedule_id,
            priority=Priority(fairness_key=getattr(argument, "partner_id", None)),
        ),
        spec=ScheduleSpec(
            intervals=[ScheduleIntervalSpec(every=every, offset=timedelta(minutes=at_minute) if at_minute else None)]
        ),
        # A poll that is late is not worth catching up with: the next one sees all that the missed one would have.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
    )
    try:
        await client.create_schedule(schedule_id, wanted)
    except ScheduleAlreadyRunningError:

        def keep_state(current: ScheduleUpdateInput) -> ScheduleUpdate:
            wanted.state = current.description.schedule.state
            return ScheduleUpdate(schedule=wanted)

        await client.get_schedule_handle(schedule_id).update(keep_state)


def loan_watch_id(partner_id: str) -> str:
    return f"loan-watch/{partner_id}"


async def ensure_loan_watch(client: Client, partner_id: str, *, every: timedelta = timedelta(minutes=5)) -> None:
    """Polls the partner's Fineract for approved loans (A2)."""
    await ensure_schedule(
        client, loan_watch_id(partner_id), "LoanWatch", WatchLoans(partner_id=partner_id), every=every
    )


def payment_pull_id(partner_id: str) -> str:
    return f"payment-pull/{partner_id}"


async def ensure_payment_pull(client: Client, partner_id: str, *, every: timedelta = timedelta(hours=1)) -> None:
    """Pulls the list of the partner's M-Pesa payments, for confirmations that were lost (A10)."""
    await ensure_schedule(
        client, payment_pull_id(partner_id), "PaymentPull", PullPayments(partner_id=partner_id), every=every
    )


def bank_statement_id(partner_id: str) -> str:
    return f"bank-statement/{partner_id}"


async def ensure_bank_statement(client: Client, partner_id: str, *, every: timedelta = timedelta(hours=1)) -> None:
    """Reads the statement of the partner's bank accounts, for credits whose push was lost (A6)."""
    await ensure_schedule(
        client, bank_statement_id(partner_id), "BankStatementPull", PullStatement(partner_id=partner_id), every=every
    )


# What is watched by the clock for a connection to a provider: the schedule's id, and what makes it.
OF_CONNECTION: Final = {
    "fineract": (loan_watch_id, ensure_loan_watch),
    "daraja": (payment_pull_id, ensure_payment_pull),
    "bank": (bank_statement_id, ensure_bank_statement),
}


async def trigger_loan_watch(client: Client, partner_id: str) -> bool:
    """Polls now; False if the partner has no such schedule."""
    try:
        await client.get_schedule_handle(loan_watch_id(partner_id)).trigger()
        return True
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False
        raise


async def ensure_house_schedules(client: Client, *, sweep_every: timedelta = timedelta(seconds=30)) -> None:
    """The sweep of undelivered webhooks and unstarted sagas, the nightly check of the books, and after it the erasing of
    personal data whose time has passed."""
    await ensure_schedule(client, SWEEP_SCHEDULE, "Sweep", every=sweep_every)
    await ensure_schedule(client, BOOKS_SCHEDULE, "BooksCheck", every=timedelta(days=1), at_minute=30)
    await ensure_schedule(client, RETENTION_SCHEDULE, "Retention", every=timedelta(days=1), at_minute=90)
