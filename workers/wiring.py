"""Puts a worker process together: clients, activities, queues. The one place where everything is constructed."""

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities.clients.callback_urls import CallbackUrls
from activities.clients.connections import Connections
from activities.clients.exchange_log import ExchangesWithNextCommit
from activities.heartbeats import Heartbeats
from activities.registry import activities_of, activity_classes
from activities.translate import ErrorTranslation
from core.crypto import CallbackSigner, CodeHasher, CredentialBox
from core.recovery import RecoveryWindow
from core.settings import Retention, Settings
from store.database import Database
from temporal.malformed import RefuseMalformed
from temporal.queues import FLOWS_QUEUE, QUEUE_WORDS, queues_named, task_queue
from workers.sandbox import runner
from workers.workflow_classes import workflow_classes

WORKFLOWS: Final = workflow_classes()


@dataclass(frozen=True)
class Resources:
    """What activities work with. An activity class names what it needs as its own fields, and is given it by their names."""

    database: Database
    connections: Connections
    client: Client
    urls: CallbackUrls
    box: CredentialBox
    hasher: CodeHasher
    recovery: tuple[RecoveryWindow, ...]
    retention: Retention
    top_up_url: str
    console_url: str
    report_zone: str

    @classmethod
    def of(cls, settings: Settings, client: Client, database: Database) -> "Resources":
        secrets = [secret.get_secret_value() for secret in settings.security.callback_secrets]
        box = CredentialBox([key.get_secret_value() for key in settings.security.credential_keys])
        return cls(
            database=database,
            connections=Connections(database, box, settings.dialling_rules()),
            client=client,
            urls=CallbackUrls(settings.callbacks.base_url, CallbackSigner(secrets)),
            box=box,
            hasher=CodeHasher(secrets),
            recovery=tuple(settings.recovery.windows),
            retention=settings.retention,
            top_up_url=settings.notices.top_up_url,
            console_url=settings.console.base_url or settings.callbacks.base_url,
            report_zone=settings.reports.timezone,
        )

    def give(self, activity_class: type) -> Any:
        """An object of an activity class. Raises AttributeError, naming the field, for one that wants what nobody has."""
        return activity_class(
            **{field.name: getattr(self, field.name) for field in fields(activity_class) if field.init}
        )


@dataclass
class WorkerSet:
    """The workers of one process and what they share; `queues` are the words of all that the process serves."""

    workers: list[Worker]
    connections: Connections
    queues: list[str]

    async def close(self) -> None:
        await self.connections.close()


def build_workers(settings: Settings, client: Client, database: Database) -> WorkerSet:
    """One worker per task queue of `settings.worker.queues`. Raises ValueError for a queue that there is not."""
    resources = Resources.of(settings, client, database)
    served = [resources.give(one) for one in activity_classes()]
    queues = queues_named(settings.worker.queues)
    workers = [_worker(settings, resources, word, served) for word in queues if word in QUEUE_WORDS]
    return WorkerSet(workers, resources.connections, queues)


def _worker(settings: Settings, resources: Resources, word: str, served: list[Any]) -> Worker:
    options, queue = settings.worker, task_queue(word)
    # No workflows on the provider queues: an activity started eagerly would bypass the queue's rate limit.
    runs_sagas = queue == FLOWS_QUEUE
    return Worker(
        resources.client,
        task_queue=queue,
        workflows=WORKFLOWS if runs_sagas else [],
        # Every one on every queue: which of them runs where is decided by the caller's policy alone.
        activities=[method for one in served for method in activities_of(one)],
        workflow_runner=runner(sandboxed=options.sandbox),
        interceptors=[
            RefuseMalformed(),
            ErrorTranslation(),
            Heartbeats(),
            ExchangesWithNextCommit(resources.database),
        ],
        max_concurrent_activities=options.max_concurrent_activities,
        max_task_queue_activities_per_second=options.calls_per_second.get(word),
        max_cached_workflows=options.max_cached_workflows,
        disable_eager_activity_execution=not runs_sagas,
        graceful_shutdown_timeout=timedelta(seconds=options.graceful_shutdown_seconds),
        # Without a build id of ours the SDK would hash every loaded module at each start, which takes more than a second.
        deployment_config=WorkerDeploymentConfig(
            WorkerDeploymentVersion("kivuko", options.build_id), use_worker_versioning=False
        ),
    )
