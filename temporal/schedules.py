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

from models import providers
from models.messages.connections.jobs import WatchConnection
from models.providers import Watch
from store import pulse
from temporal.queues import FLOWS_QUEUE

SWEEP_SCHEDULE: Final = pulse.SWEEP
BOOKS_SCHEDULE: Final = pulse.BOOKS_CHECK
RETENTION_SCHEDULE: Final = pulse.RETENTION
REPORT_MAILS_SCHEDULE: Final = "report-mails"
RECONCILIATION_SCHEDULE: Final = "daily-reconciliation"


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


def watch_id(provider: str, partner_id: str) -> str:
    """The schedule that watches a partner's connection, such as `loan-watch/prt_…`. Raises LookupError for a provider that
    nobody watches."""
    return f"{_watch(provider).name}/{partner_id}"


async def ensure_watch(client: Client, provider: str, partner_id: str, *, every: timedelta | None = None) -> None:
    """Makes the schedule of a partner's connection: the poll for approved loans (A2), the list of payments whose
    announcement was lost (A6, A10). Raises LookupError as `watch_id`."""
    watch = _watch(provider)
    order = WatchConnection(partner_id=partner_id)
    await ensure_schedule(client, watch_id(provider, partner_id), watch.workflow, order, every=every or watch.every)


async def trigger_watch(client: Client, provider: str, partner_id: str) -> bool:
    """Watches now; False if the partner has no such schedule."""
    try:
        await client.get_schedule_handle(watch_id(provider, partner_id)).trigger()
        return True
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False
        raise


def _watch(provider: str) -> Watch:
    watch = providers.named(provider).watch
    if watch is None:
        raise LookupError(provider)
    return watch


async def ensure_house_schedules(client: Client, *, sweep_every: timedelta = pulse.EVERY[pulse.SWEEP]) -> None:
    """The sweep of undelivered webhooks and unstarted sagas; at night the check of the books, and after it the erasing of
    personal data whose time has passed; every hour the comparison of those days that are over where their partner is, and
    the reports whose hour it is."""
    await ensure_schedule(client, SWEEP_SCHEDULE, "Sweep", every=sweep_every)
    await ensure_schedule(client, BOOKS_SCHEDULE, "BooksCheck", every=pulse.EVERY[pulse.BOOKS_CHECK], at_minute=30)
    await ensure_schedule(client, RETENTION_SCHEDULE, "Retention", every=pulse.EVERY[pulse.RETENTION], at_minute=90)
    await ensure_schedule(client, RECONCILIATION_SCHEDULE, "ReconciliationsDue", every=timedelta(hours=1), at_minute=20)
    await ensure_schedule(client, REPORT_MAILS_SCHEDULE, "ReportsDue", every=timedelta(hours=1), at_minute=5)
