"""Supervision: crashed children come back, stopping ends every one of them in order, and nobody is orphaned."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from cli.local import processes
from cli.local.ports import PortTaken, ensure_free, free_port
from cli.local.processes import Child, ProcessGroup, StartFailed
from tests.support.waiting import eventually

_WAITS = "import time; print('up', flush=True); time.sleep(60)"
_IGNORES_SIGTERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + _WAITS


class Diary:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, name: str, text: str) -> None:
        self.lines.append(f"{name}: {text}")


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
async def group(diary: Diary) -> AsyncIterator[ProcessGroup]:
    group = ProcessGroup(diary)
    yield group
    await group.stop()


def _child(folder: Path, name: str, program: str, *, stop_grace: float = 5, start_deadline: float = 10) -> Child:
    log = folder / f"{name}.log"

    async def says_up() -> bool:
        return "up" in log.read_text()

    return Child(
        name,
        [sys.executable, "-c", program],
        log,
        healthy=says_up,
        start_deadline=start_deadline,
        stop_grace=stop_grace,
    )


async def test_a_crashed_child_is_started_again_and_that_is_said(
    tmp_path: Path, group: ProcessGroup, diary: Diary
) -> None:
    await group.start(_child(tmp_path, "worker", _WAITS))
    first = group.pids["worker"]
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: group.pids["worker"] != first)
    assert psutil.pid_exists(group.pids["worker"])
    assert diary.lines == [
        "worker: ended with code -9, starting again in 0.5 s",
        f"worker: started again as process {group.pids['worker']}",
    ]


async def test_the_wait_before_the_next_start_grows(
    tmp_path: Path, group: ProcessGroup, diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_FIRST_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(processes, "_LONGEST_BACKOFF_SECONDS", 0.03)
    # Up for a moment the first time, and never again.
    program = (
        "import pathlib, time\n"
        f"seen = pathlib.Path({str(tmp_path / 'seen')!r})\n"
        "if not seen.exists(): seen.touch(); print('up', flush=True); time.sleep(0.5)"
    )
    await group.start(_child(tmp_path, "worker", program))
    await eventually(lambda: len([line for line in diary.lines if "ended" in line]) >= 4)
    waits = [line.split(" in ")[1] for line in diary.lines if "ended" in line]
    assert waits[:4] == ["0.01 s", "0.02 s", "0.03 s", "0.03 s"]


async def test_stop_ends_all_in_reverse_order(tmp_path: Path, group: ProcessGroup) -> None:
    order = tmp_path / "order"
    program = (
        "import signal, sys, time\n"
        "def bye(*_):\n"
        "    open({order!r}, 'a').write({name!r}); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, bye); print('up', flush=True); time.sleep(60)"
    )
    for name in ("a", "b", "c"):
        await group.start(_child(tmp_path, name, program.format(order=str(order), name=name)))
    pids = list(group.pids.values())
    await group.stop()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert group.pids == {}
    assert order.read_text() == "cba"


async def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path, group: ProcessGroup) -> None:
    await group.start(_child(tmp_path, "stubborn", _IGNORES_SIGTERM, stop_grace=0.2))
    pid = group.pids["stubborn"]
    await asyncio.wait_for(group.stop(), 5)
    assert not psutil.pid_exists(pid)


async def test_a_child_in_its_backoff_does_not_come_back_after_a_stop(
    tmp_path: Path, group: ProcessGroup, diary: Diary
) -> None:
    await group.start(_child(tmp_path, "worker", _WAITS))
    os.kill(group.pids["worker"], signal.SIGKILL)
    await eventually(lambda: diary.lines)
    await group.stop()
    await asyncio.sleep(0.8)  # longer than the first backoff
    assert diary.lines == ["worker: ended with code -9, starting again in 0.5 s"]


async def test_a_child_that_ends_while_starting_shows_the_end_of_its_log(tmp_path: Path, group: ProcessGroup) -> None:
    with pytest.raises(StartFailed, match=r"(?s)api ended with code 1.*no such setting"):
        await group.start(_child(tmp_path, "api", "raise SystemExit('no such setting')"))
    assert group.pids == {}


async def test_a_child_that_never_gets_healthy_is_stopped(tmp_path: Path, group: ProcessGroup) -> None:
    slow = _child(
        tmp_path, "api", "import os, time; print(os.getpid(), flush=True); time.sleep(60)", start_deadline=0.5
    )
    with pytest.raises(StartFailed, match=r"not ready within 0\.5 s"):
        await group.start(slow)
    assert not psutil.pid_exists(int((tmp_path / "api.log").read_text()))


async def test_children_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from cli.local.processes import Child, ProcessGroup\n"
        "async def main():\n"
        "    group = ProcessGroup(print)\n"
        "    for name in 'ab':\n"
        "        child = Child(name, [sys.executable, '-c', 'import time; time.sleep(60)'], Path(sys.argv[1]) / name)\n"
        "        await group.start(child)\n"
        "    print(*group.pids.values(), flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    root = Path(processes.__file__).parents[2]
    supervisor = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, cwd=root, text=True
    )
    assert supervisor.stdout is not None
    with supervisor.stdout:
        children = [int(pid) for pid in supervisor.stdout.readline().split()]
    assert len(children) == 2
    assert all(psutil.pid_exists(pid) for pid in children)
    supervisor.kill()
    supervisor.wait()
    await eventually(lambda: not any(map(_runs, children)))


def _runs(pid: int) -> bool:
    """A dead orphan stays in the table until the system's first process collects it."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_taken_port_names_the_setting_that_moves_us() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"127.0.0.1:{port} .*KIVUKO_API__PORT"):
            ensure_free("127.0.0.1", port, "KIVUKO_API__PORT")


def test_a_free_port_is_free() -> None:
    ensure_free("127.0.0.1", free_port(), "KIVUKO_API__PORT")
