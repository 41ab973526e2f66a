"""Puts a worker process together: clients, activities, queues. The one place where everything is constructed."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from activities.connections import Connections
from activities.disbursements import Disbursements
from activities.heartbeats import Heartbeats
from activities.loan_watch import LoanWatching
from activities.loans import Loans
from activities.partner_connections import PartnerConnections
from activities.payouts import CallbackUrls, Payouts
from activities.sweeps import Sweeps
from activities.translate import ErrorTranslation
from core.crypto import CallbackSigner, CredentialBox
from core.settings import Settings
from store.database import Database
from temporal.queues import FINERACT_QUEUE, FLOWS_QUEUE, MPESA_QUEUE
from workers.sandbox import runner
from workflows.housekeeping import BooksCheck, Sweep
from workflows.loan_disbursement import LoanDisbursement
from workflows.loan_watch import LoanWatch
from workflows.partner_chores import BalanceInquiry, ConnectionCheck, LoanProductSync

WORKFLOWS = [LoanDisbursement, LoanWatch, ConnectionCheck, LoanProductSync, BalanceInquiry, Sweep, BooksCheck]


@dataclass
class WorkerSet:
    """The workers of one process and what they share."""

    workers: list[Worker]
    connections: Connections

    async def close(self) -> None:
        await self.connections.close()


def build_workers(settings: Settings, client: Client, database: Database) -> WorkerSet:
    """One worker per queue of `settings.worker.queues`."""
    security = settings.security
    box = CredentialBox([key.get_secret_value() for key in security.credential_keys])
    signer = CallbackSigner([secret.get_secret_value() for secret in security.callback_secrets])
    connections = Connections(database, box)
    grace = timedelta(seconds=settings.worker.graceful_shutdown_seconds)
    limit = settings.worker.max_concurrent_activities

    disbursements = Disbursements(database)
    sweeps = Sweeps(database, client)
    payouts = Payouts(database, connections, CallbackUrls(settings.callbacks.base_url, signer))
    loans = Loans(database, connections)
    watching = LoanWatching(database, connections, client)
    checks = PartnerConnections(database, connections)

    workers = {
        "flows": lambda: Worker(
            client,
            task_queue=FLOWS_QUEUE,
            workflows=WORKFLOWS,
            activities=[
                disbursements.settle, disbursements.release, disbursements.note, sweeps.sweep, sweeps.check_books,
            ],
            workflow_runner=runner(),
            interceptors=[ErrorTranslation(), Heartbeats()],
            max_concurrent_activities=limit,
            max_cached_workflows=settings.worker.max_cached_workflows,
            graceful_shutdown_timeout=grace,
        ),
        # No workflows on the provider queues: an activity started eagerly would bypass the queue's rate limit.
        "mpesa": lambda: Worker(
            client,
            task_queue=MPESA_QUEUE,
            activities=[payouts.send, payouts.ask_status, payouts.ask_balance],
            interceptors=[ErrorTranslation(), Heartbeats()],
            max_concurrent_activities=limit,
            max_task_queue_activities_per_second=settings.worker.mpesa_calls_per_second,
            disable_eager_activity_execution=True,
            graceful_shutdown_timeout=grace,
        ),
        "fineract": lambda: Worker(
            client,
            task_queue=FINERACT_QUEUE,
            activities=[loans.reserve, loans.post, watching.watch, watching.sync_products, checks.check],
            interceptors=[ErrorTranslation(), Heartbeats()],
            max_concurrent_activities=limit,
            disable_eager_activity_execution=True,
            graceful_shutdown_timeout=grace,
        ),
    }  # fmt: skip
    return WorkerSet([workers[queue]() for queue in settings.worker.queues], connections)
