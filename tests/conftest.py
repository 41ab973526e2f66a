"""Real servers for all tests: PostgreSQL and Temporal from the wheels, started once a session and only if asked for."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from cli.local.postgres import EmbeddedPostgres
from core.settings import Settings
from store.database import Database
from tests.support.databases import database_from, make_template
from tests.support.folders import quick_folder
from tests.support.settings import of_a_test, wired_to
from tests.support.shifted_clock import set_clock
from tests.support.simulator_server import AppServer, RunningSimulators, SharedSimulators, running_simulators
from tests.support.temporal import start_environment


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--clock", help="run as if it were this moment: 2028-02-29T23:30:00+00:00", metavar="TIME")


def pytest_configure(config: pytest.Config) -> None:
    if given := config.getoption("--clock"):
        set_clock(given)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "house" in getattr(item, "fixturenames", ()) or item.path.parent.name == "cli_local":
            item.add_marker("whole")
    items[:] = slow_ones_dealt_out(items)


def slow_ones_dealt_out(items: list[pytest.Item]) -> list[pytest.Item]:
    """Slow tests first, dealt out to the processes, each of which begins with an equal part of the list: none of them is
    begun last, when the others have nothing left to do. They mostly wait, which the rest of the tests fills."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    slow = [item for item in items if item.get_closest_marker("slow")]
    rest = [item for item in items if not item.get_closest_marker("slow")]
    share = -(-len(items) // processes)
    dealt: list[pytest.Item] = []
    for number in range(processes):
        hand = slow[number::processes]
        dealt += hand + rest[: share - len(hand)]
        del rest[: share - len(hand)]
    return dealt + rest


@pytest.fixture(autouse=True)
def logs_through_logging() -> None:
    """Logs go where `caplog` sees them. structlog's own printer, which a command under test may have chosen, would keep
    the output stream of that test, and a closed stream turns the next test's log line into an error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """One server a session (and a xdist worker). Its database `kivuko` is empty; take `database_url` instead."""
    with quick_folder() as folder, EmbeddedPostgres(folder / "pg", durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def template_database(postgres_server: EmbeddedPostgres) -> str:
    """The name of a database with every migration applied."""
    return make_template(postgres_server)


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    """The libpq URL of a migrated database for this test alone. Every test's has the same name."""
    with database_from(postgres_server, template_database, "test_now") as url:
        yield url


@pytest.fixture(scope="session")
async def known_statements() -> AsyncIterator[dict[str, Database]]:
    """One `Database` for each address: a new one would put every statement into SQL once more."""
    known: dict[str, Database] = {}
    yield known
    for database in known.values():
        await database.close()


@pytest.fixture
async def database(database_url: str, known_statements: dict[str, Database]) -> AsyncIterator[Database]:
    """Our `Database` on a migrated database for this test alone; no connection of an earlier test is left."""
    if database_url not in known_statements:
        known_statements[database_url] = Database(database_url)
    database = known_statements[database_url]
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def temporal_env() -> AsyncIterator[WorkflowEnvironment]:
    """One Temporal server a session. Use a random task queue and workflow id in each test."""
    async with await first_that_starts() as environment:
        yield environment


async def first_that_starts(tries: int = 3) -> WorkflowEnvironment:
    """On a machine that is busy with other tests' servers one may take too long to answer; all later tests would miss it."""
    for _ in range(tries - 1):
        try:
            return await start_environment()
        except RuntimeError as error:
            print(f"The Temporal server did not start, and is started anew: {str(error)[:300]}")
    return await start_environment()


@pytest.fixture(scope="session")
def temporal_client(temporal_env: WorkflowEnvironment) -> Client:
    """The client of `temporal_env`: sealed payloads, time that can be skipped."""
    return temporal_env.client


@pytest.fixture(scope="session")
def simulator_server() -> Iterator[AppServer]:
    server = AppServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_simulators() -> Iterator[SharedSimulators]:
    server = AppServer()
    server.start()
    with running_simulators(server) as running:
        yield running
    server.stop()


@pytest.fixture
def simulators(shared_simulators: SharedSimulators) -> Iterator[RunningSimulators]:
    """All simulators over HTTP with an empty world: `.url`, `.world`, `.smtp_port`."""
    yield shared_simulators.start_over()
    shared_simulators.start_over()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a test: nothing from `.env`, keys of the tests, data in a folder of this test alone."""
    return of_a_test(tmp_path / "data")


@pytest.fixture
def wired_settings(settings: Settings, database_url: str, simulators: RunningSimulators) -> Settings:
    """`settings` that point to this test's database and simulators."""
    return wired_to(settings, database_url, simulators)
