"""What is written is served: every activity class by some queue, every workflow class by the queue of the sagas."""

import asyncio
import inspect
import pkgutil
from importlib import import_module

import pytest
from temporalio import workflow
from temporalio.client import Client

import activities
from activities.clients.connections import Connections
from activities.registry import activities_of
from core.crypto import CredentialBox
from core.settings import Settings
from store.database import Database
from tests.architecture.house import ROOT
from workers.wiring import TASK_QUEUES, WORKFLOWS, activity_classes, build_workers
from workflows.saga import policies


def written_activity_classes() -> set[type]:
    found = set[type]()
    for info in pkgutil.walk_packages(activities.__path__, "activities."):
        module = import_module(info.name)
        for _, member in inspect.getmembers(module, inspect.isclass):
            functions = [value for value in vars(member).values() if inspect.isfunction(value)]
            if any(hasattr(function, "__temporal_activity_definition") for function in functions):
                found.add(member)
    return found


@pytest.fixture
def served(settings: Settings, temporal_client: Client, database: Database) -> list[tuple[object, tuple[str, ...]]]:
    box = CredentialBox([key.get_secret_value() for key in settings.security.credential_keys])
    return activity_classes(settings, temporal_client, database, Connections(database, box))


def test_every_decorated_workflow_is_found_once() -> None:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "workflows").rglob("*.py"))
    names = [workflow._Definition.must_from_class(found).name for found in WORKFLOWS]
    assert len(names) == len(set(names)) == sum(source.count("\n@workflow.defn") for source in sources)
    assert {"LoanDisbursement", "ConnectionCheck", "Sweep"} <= set(names)


def test_every_activity_class_is_served(served: list[tuple[object, tuple[str, ...]]]) -> None:
    assert {type(one) for one, _ in served} == written_activity_classes()
    assert all(queues and set(queues) <= set(TASK_QUEUES.values()) for _, queues in served)
    assert all(activities_of(one) for one, _ in served)


def test_every_queue_of_a_policy_is_served() -> None:
    named = {value.task_queue for value in vars(policies).values() if isinstance(value, policies.ActivityPolicy)}
    assert named == set(TASK_QUEUES.values())


async def test_a_process_with_every_queue_can_be_built(
    settings: Settings, temporal_client: Client, database: Database
) -> None:
    built = build_workers(settings, temporal_client, database)
    running = [asyncio.create_task(worker.run()) for worker in built.workers]
    assert {worker.task_queue for worker in built.workers} == set(TASK_QUEUES.values())
    # One that only stood there would hold its queues, and no other test's worker could be made for them.
    await asyncio.gather(*(worker.shutdown() for worker in built.workers))
    await asyncio.gather(*running)
    await built.close()
