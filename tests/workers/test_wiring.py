"""What is written is served: every activity class by some queue, every workflow class by the queue of the sagas."""

import asyncio
from dataclasses import dataclass

import pytest
from temporalio import workflow
from temporalio.client import Client

from activities.registry import activities_of, activity_classes
from core.settings import Settings
from store.database import Database
from temporal.queues import QUEUE_WORDS, SERVED, queues_named, task_queue
from tests.architecture.house import ROOT
from workers.wiring import WORKFLOWS, Resources, build_workers
from workflows.saga import policies
from workflows.saga.rails import RAILS


def test_every_decorated_workflow_is_found_once() -> None:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "workflows").rglob("*.py"))
    names = [workflow._Definition.must_from_class(found).name for found in WORKFLOWS]
    assert len(names) == len(set(names)) == sum(source.count("\n@workflow.defn") for source in sources)
    assert {"LoanDisbursement", "ConnectionCheck", "Sweep"} <= set(names)


async def test_every_activity_class_is_found_and_given_what_it_names(
    settings: Settings, temporal_client: Client, database: Database
) -> None:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "activities").rglob("*.py"))
    written = sum(source.count("    @activity.defn(") for source in sources)
    resources = Resources.of(settings, temporal_client, database)
    assert sum(len(activities_of(resources.give(found))) for found in activity_classes()) == written > 30


async def test_an_activity_class_that_wants_what_nobody_has_is_named(
    settings: Settings, temporal_client: Client, database: Database
) -> None:
    @dataclass
    class Wanting:
        database: Database
        sorcery: str

    with pytest.raises(AttributeError, match="sorcery"):
        Resources.of(settings, temporal_client, database).give(Wanting)


def test_every_queue_of_a_policy_is_served() -> None:
    named = {value.task_queue for value in vars(policies).values() if isinstance(value, policies.ActivityPolicy)}
    named |= {rail.task_queue for rail in RAILS.values()}
    assert named <= {task_queue(word) for word in QUEUE_WORDS}


def test_a_queue_that_there_is_not_is_named_with_those_that_there_are() -> None:
    assert queues_named([]) == list(SERVED) == [*QUEUE_WORDS, "messages"]
    with pytest.raises(ValueError, match="no queue is called emails: there are flows, fineract, mpesa"):
        queues_named(["flows", "emails"])


async def test_a_process_with_every_queue_can_be_built(
    settings: Settings, temporal_client: Client, database: Database
) -> None:
    built = build_workers(settings, temporal_client, database)
    running = [asyncio.create_task(worker.run()) for worker in built.workers]
    assert {worker.task_queue for worker in built.workers} == {task_queue(word) for word in QUEUE_WORDS}
    # One that only stood there would hold its queues, and no other test's worker could be made for them.
    await asyncio.gather(*(worker.shutdown() for worker in built.workers))
    await asyncio.gather(*running)
    await built.close()
