"""Programs that are forked instead of started: their output, environment, exit codes and ends are those of any process."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local.nursery import SUPPORTED, Nursery
from cli.local.processes import end

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="programs are forked on Linux alone")

_PROGRAM = """
import os, sys, time
import {package}.heavy
if __name__ == "__main__":
    print("made by", {package}.heavy.PID, "as", os.getpid(), os.environ.get("GREETING"), flush=True)
    if os.environ.get("CODE"):
        sys.exit(int(os.environ["CODE"]))
    time.sleep(60)
"""


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    package = tmp_path / "toddler"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "heavy.py").write_text("import os\nPID = os.getpid()\n")
    (package / "__main__.py").write_text(_PROGRAM.format(package="toddler"))
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    nursery = Nursery(["toddler"], tmp_path / "nursery.log", {**os.environ, "PYTHONPATH": path})
    yield nursery
    nursery.close()
    end(nursery.process)


async def until(log: Path, word: str) -> str:
    for _ in range(500):
        if word in (text := log.read_text() if log.exists() else ""):
            return text
        await asyncio.sleep(0.02)
    raise AssertionError(f"{word} is not in {log}")


async def test_what_was_imported_once_is_there_in_every_program(nursery: Nursery, tmp_path: Path) -> None:
    for greeting in ("hello", "servus"):
        log = tmp_path / f"{greeting}.log"
        forked = nursery.fork("toddler", log, {"GREETING": greeting})
        assert await until(log, "made") == f"made by {nursery.process.pid} as {forked.pid} {greeting}\n"
        assert forked.poll() is None
        assert log.stat().st_mode & 0o077 == 0
        assert os.getsid(forked.pid) == forked.pid  # Ctrl-C is not for it
        assert end(forked) == -signal.SIGTERM


async def test_its_exit_code_is_known(nursery: Nursery, tmp_path: Path) -> None:
    forked = nursery.fork("toddler", tmp_path / "log", {"CODE": "7"})
    assert await asyncio.to_thread(forked.wait, 10) == 7


async def test_one_that_ignores_time_is_waited_for_no_longer_than_asked(nursery: Nursery, tmp_path: Path) -> None:
    forked = nursery.fork("toddler", tmp_path / "log", {})
    with pytest.raises(subprocess.TimeoutExpired):
        await asyncio.to_thread(forked.wait, 0.2)
    assert end(forked, (signal.SIGKILL, 5)) == -signal.SIGKILL


async def test_what_it_forked_survives_a_killed_nursery_and_can_still_be_ended(
    nursery: Nursery, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    forked = nursery.fork("toddler", log, {})
    await until(log, "made")
    nursery.process.kill()
    nursery.process.wait()
    assert forked.poll() is None
    with pytest.raises(OSError, match=r"nursery|pipe|reset"):
        nursery.fork("toddler", log, {})
    assert isinstance(await asyncio.to_thread(end, forked), int)
    assert forked.poll() is not None
