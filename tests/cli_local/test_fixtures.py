"""The shared fixtures do what every other test relies on: isolation, real HTTP, skippable time, quick clean-up."""

import asyncio
import uuid
from datetime import timedelta

import httpx
import psycopg
import pytest
from sqlalchemy import text
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from cli.local.postgres import EmbeddedPostgres
from core.settings import Settings
from store.database import Database
from store.migrate import migrate
from tests.support.sample_workflows import SleepsForADay
from tests.support.simulator_server import RunningSimulators
from tests.support.temporal import skip
from tests.support.waiting import eventually


@pytest.mark.parametrize("turn", ["first", "second"])
async def test_each_test_has_a_migrated_database_of_its_own(database: Database, turn: str) -> None:
    async with database.transaction() as session:
        connection = await session.connection()
        assert (await connection.execute(text("SELECT count(*) FROM alembic_version"))).scalar_one() == 1
        # Would fail in the second turn if the database were shared.
        await connection.execute(text("CREATE TABLE left_behind (id int)"))


def test_a_database_is_dropped_even_if_a_connection_was_forgotten(
    database_url: str, postgres_server: EmbeddedPostgres
) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with psycopg.connect(postgres_server.url_for("postgres")) as connection:
        found = connection.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'test_%'").fetchone()
    assert found == (1,)


def test_migrating_again_changes_nothing(database_url: str) -> None:
    migrate(database_url)


async def test_a_day_passes_at_once(temporal_env: WorkflowEnvironment, temporal_client: Client) -> None:
    queue = f"queue-{uuid.uuid4()}"
    async with Worker(temporal_client, task_queue=queue, workflows=[SleepsForADay]):
        handle = await temporal_client.start_workflow(SleepsForADay.run, id=f"sleeps/{uuid.uuid4()}", task_queue=queue)
        await skip(temporal_env, handle, timedelta(days=2))
        assert await asyncio.wait_for(handle.result(), 10) == "rested"


@pytest.mark.parametrize("turn", ["first", "second"])
async def test_each_test_has_simulators_with_an_empty_world(simulators: RunningSimulators, turn: str) -> None:
    async with httpx.AsyncClient(verify=False, base_url=simulators.url) as http:
        assert (await http.get("/health")).json() == {"status": "ok"}
        assert (await http.get("/books/payouts")).json() == []
    simulators.world.documents.put("books.payouts", "p1", {"reference": "p1"})
    assert httpx.get(f"{simulators.url}/books/payouts").json() == [{"reference": "p1"}]


def test_wired_settings_point_to_this_tests_servers(
    wired_settings: Settings, database_url: str, simulators: RunningSimulators
) -> None:
    assert wired_settings.database.url == database_url
    assert wired_settings.sms.damza.base_url == f"{simulators.url}/damza"
    assert wired_settings.email.port == simulators.smtp_port


async def test_eventually_gives_up_and_says_what_it_waited_for() -> None:
    never_true = False
    with pytest.raises(AssertionError, match="never_true"):
        await eventually(lambda: never_true, timeout=0.05)


async def test_eventually_returns_the_first_truthy_answer() -> None:
    answers = iter([0, None, "there"])

    async def ask() -> object:
        return next(answers)

    assert await eventually(ask) == "there"
