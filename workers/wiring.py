"""Puts a worker process together: clients, activities, queues. The one place where everything is constructed."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities.clients.callback_urls import CallbackUrls
from activities.clients.connections import Connections
from activities.clients.exchange_log import ExchangesWithNextCommit
from activities.clients.partner_connections import PartnerConnections
from activities.heartbeats import Heartbeats
from activities.lending.customer_collection import CustomerPayments
from activities.lending.float_purchase import FloatPurchases
from activities.lending.loan_disbursement import Disbursements
from activities.lending.loans import Loans
from activities.lending.wallet_top_up import TopUps
from activities.registry import activities_of
from activities.saga.decisions import Decisions
from activities.saga.payouts import Payouts
from activities.saga.prompts import Prompts
from activities.saga.records import Records
from activities.scheduled.loan_watch import LoanWatching
from activities.scheduled.payment_watch import PaymentWatching
from activities.scheduled.retention import Retaining
from activities.scheduled.statement_watch import StatementWatching
from activities.scheduled.sweeps import Sweeps
from activities.translate import ErrorTranslation
from core.crypto import CallbackSigner, CodeHasher, CredentialBox
from core.settings import Settings
from store.database import Database
from temporal.queues import BANK_QUEUE, FINERACT_QUEUE, FLOWS_QUEUE, MPESA_QUEUE
from workers.sandbox import runner
from workers.workflow_classes import workflow_classes

WORKFLOWS: Final = workflow_classes()

# The settings' words for the queues.
TASK_QUEUES: Final = {"flows": FLOWS_QUEUE, "mpesa": MPESA_QUEUE, "bank": BANK_QUEUE, "fineract": FINERACT_QUEUE}


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
    connections = Connections(database, box, settings.dialling_rules())
    served = activity_classes(settings, client, database, connections)
    return WorkerSet(
        [_worker(settings, client, database, TASK_QUEUES[name], served) for name in settings.worker.queues], connections
    )


def activity_classes(
    settings: Settings, client: Client, database: Database, connections: Connections
) -> list[tuple[object, tuple[str, ...]]]:
    """An object of every activity class, with the queues that its policies name (workflows/saga/policies.py). Each of those
    offers all of its methods; which of them runs where is decided by the caller's policy alone."""
    secrets = [secret.get_secret_value() for secret in settings.security.callback_secrets]
    urls = CallbackUrls(settings.callbacks.base_url, CallbackSigner(secrets))
    recovery = tuple(settings.recovery.windows)
    top_up_url = settings.notices.top_up_url
    box = connections.box
    return [
        (Payouts(database, connections, urls, recovery), (MPESA_QUEUE, BANK_QUEUE)),
        (Prompts(database, connections, urls, recovery), (MPESA_QUEUE, BANK_QUEUE)),
        (Records(database), (FLOWS_QUEUE,)),
        (Decisions(database), (FLOWS_QUEUE,)),
        (Loans(database, connections, top_up_url), (FINERACT_QUEUE,)),
        (Disbursements(database, top_up_url), (FLOWS_QUEUE,)),
        (CustomerPayments(database, connections), (FLOWS_QUEUE, FINERACT_QUEUE)),
        (TopUps(database, top_up_url), (FLOWS_QUEUE,)),
        (FloatPurchases(database, CodeHasher(secrets), box, top_up_url), (FLOWS_QUEUE,)),
        (LoanWatching(database, connections, client), (FINERACT_QUEUE,)),
        (PaymentWatching(database, connections, client), (MPESA_QUEUE, FINERACT_QUEUE)),
        (StatementWatching(database, connections, client), (BANK_QUEUE,)),
        (PartnerConnections(database, connections, urls), (MPESA_QUEUE, FINERACT_QUEUE)),
        (Sweeps(database, client, box), (FLOWS_QUEUE,)),
        (Retaining(database, settings.retention), (FLOWS_QUEUE,)),
    ]


def _worker(
    settings: Settings,
    client: Client,
    database: Database,
    task_queue: str,
    served: list[tuple[object, tuple[str, ...]]],
) -> Worker:
    options = settings.worker
    # No workflows on the provider queues: an activity started eagerly would bypass the queue's rate limit.
    runs_sagas = task_queue == FLOWS_QUEUE
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS if runs_sagas else [],
        activities=[method for one, queues in served if task_queue in queues for method in activities_of(one)],
        workflow_runner=runner(),
        interceptors=[ErrorTranslation(), Heartbeats(), ExchangesWithNextCommit(database)],
        max_concurrent_activities=options.max_concurrent_activities,
        max_task_queue_activities_per_second=options.mpesa_calls_per_second if task_queue == MPESA_QUEUE else None,
        max_cached_workflows=options.max_cached_workflows,
        disable_eager_activity_execution=not runs_sagas,
        graceful_shutdown_timeout=timedelta(seconds=options.graceful_shutdown_seconds),
        # Without a build id of ours the SDK would hash every loaded module at each start, which takes more than a second.
        deployment_config=WorkerDeploymentConfig(
            WorkerDeploymentVersion("kivuko", options.build_id), use_worker_versioning=False
        ),
    )
