"""The local stack as a whole: it comes up in order, mends itself, goes down completely and remembers everything."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from pydantic import SecretStr
from temporalio.client import WorkflowExecutionStatus

from cli.local.ports import PortTaken, free_port
from cli.local.stack import LocalStack
from core.settings import Settings
from temporal.client import connect
from tests.support.folders import quick_folder
from tests.support.waiting import eventually


class Progress:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, part: str, text: str) -> None:
        self.lines.append(f"{part}: {text}")


@pytest.fixture
def progress() -> Progress:
    return Progress()


@pytest.fixture
def stack_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    for name in ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    with quick_folder() as folder:
        yield Settings.model_validate(
            {
                "data_dir": folder / ".kivuko",
                "api": {"port": free_port()},
                "simulators": {"port": free_port(), "smtp_port": free_port()},
                "temporal": {"port": free_port(), "ui_port": free_port()},
            }
        )


def open_to_others(folder: Path) -> list[str]:
    """What of a data folder anybody but its owner may read, write or list; the database has a guard of its own."""
    found = [] if folder.stat().st_mode & 0o777 == 0o700 else [str(folder)]
    files = [path for path in folder.rglob("*") if not path.is_symlink() and "postgres" not in path.parts]
    return found + [str(path) for path in files if path.is_file() and path.stat().st_mode & 0o077]


def _our_processes(data_dir: Path) -> list[int]:
    """Every process whose command line names this data folder."""
    needle = str(data_dir)
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if any(needle in part for part in process.info["cmdline"] or ()) and process.info["status"] != "zombie"
    ]


async def test_a_second_run_finds_what_the_first_one_left(stack_settings: Settings, progress: Progress) -> None:
    stack = LocalStack(stack_settings, on_progress=progress, children=["simulators"])
    async with stack:
        temporal = ["temporal: starting", "temporal: ready"]  # beside PostgreSQL
        assert [line for line in progress.lines if line in temporal] == temporal
        assert [line for line in progress.lines if line not in temporal] == [
            "postgres: starting",
            "postgres: ready",
            "migrations: running",
            "migrations: done",
            "search attributes: registered",
            "simulators: starting",
            "simulators: ready",
        ]
        with psycopg.connect(stack.urls["database"], autocommit=True) as connection:
            connection.execute("CREATE TABLE remembered (id int)")
        await (await connect(stack.settings)).start_workflow("Anything", id="remembered", task_queue="nobody-polls")
        assert httpx.get(stack.urls["simulators"] + "/health").status_code == 200
        assert httpx.get(stack.urls["temporal ui"], follow_redirects=True).status_code == 200
        assert open_to_others(stack_settings.data_dir) == []
        first = (stack_settings.data_dir / "codec.secret").read_text().strip()
        assert stack.settings.codec.address_secret == SecretStr(first)
        told = httpx.get(stack.urls["temporal ui"] + "/api/v1/settings").json()
        assert told["Codec"]["Endpoint"].endswith(f"/codec/by/{first}")
    assert _our_processes(stack_settings.data_dir) == []
    # An earlier version, or somebody's editor, may have left it open.
    stack_settings.data_dir.chmod(0o755)
    (stack_settings.data_dir / "database.url").chmod(0o644)
    stack = LocalStack(stack_settings, on_progress=progress, children=["simulators"])
    async with stack:
        assert open_to_others(stack_settings.data_dir) == []
        assert (stack_settings.data_dir / "codec.secret").read_text().strip() == first
        with psycopg.connect(stack.urls["database"]) as connection:
            connection.execute("SELECT * FROM remembered")
        found = await (await connect(stack.settings)).get_workflow_handle("remembered").describe()
        assert found.status is WorkflowExecutionStatus.RUNNING


async def test_killed_servers_come_back_with_their_data(stack_settings: Settings, progress: Progress) -> None:
    async with LocalStack(stack_settings, on_progress=progress, children=[]) as stack:
        with psycopg.connect(stack.urls["database"], autocommit=True) as connection:
            connection.execute("CREATE TABLE remembered (id int)")
        await (await connect(stack.settings)).start_workflow("Anything", id="remembered", task_queue="nobody-polls")
        progress.lines.clear()
        for process in stack.server_pids.values():
            os.kill(process, signal.SIGKILL)
        await eventually(lambda: [line for line in progress.lines if line.endswith("ready")][1:])
        assert [line.split(":")[0] for line in progress.lines if "ended by itself" in line] == ["postgres", "temporal"]
        with psycopg.connect(stack.urls["database"]) as connection:
            connection.execute("SELECT * FROM remembered")
        found = await (await connect(stack.settings)).get_workflow_handle("remembered").describe()
        assert found.status is WorkflowExecutionStatus.RUNNING


async def test_a_taken_port_stops_the_start_before_anything_runs(stack_settings: Settings, progress: Progress) -> None:
    with (
        socket.create_server(("127.0.0.1", stack_settings.simulators.smtp_port)),
        pytest.raises(PortTaken, match="KIVUKO_SIMULATORS__SMTP_PORT"),
    ):
        await LocalStack(stack_settings, on_progress=progress).start()
    assert progress.lines == []
    assert not stack_settings.data_dir.exists()


async def test_a_failed_start_leaves_nothing_running(stack_settings: Settings, progress: Progress) -> None:
    (stack_settings.data_dir / "simulators.db").mkdir(parents=True)  # a folder where its file should be
    with pytest.raises(Exception, match="simulators ended with code 1"):
        await LocalStack(stack_settings, on_progress=progress, children=["simulators"]).start()
    assert progress.lines[-1] == "stack: stopped"
    assert _our_processes(stack_settings.data_dir) == []


async def test_a_database_elsewhere_is_used_and_not_started(
    stack_settings: Settings, database_url: str, progress: Progress
) -> None:
    elsewhere = stack_settings.model_copy(
        update={"database": stack_settings.database.model_copy(update={"url": database_url})}
    )
    async with LocalStack(elsewhere, on_progress=progress, children=[]) as stack:
        assert stack.urls["database"] == database_url
    assert not any(line.startswith("postgres") for line in progress.lines)
