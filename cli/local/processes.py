"""Child processes of the local stack: started, watched, started again when they crash, stopped in reverse order."""

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from cli.local.guard import guard, release

_POLL_SECONDS = 0.1
_LONGEST_LOG_BYTES = 20 * 1024 * 1024
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0
_STABLE_AFTER_SECONDS = 60.0


class StartFailed(Exception):
    """A server or a child process did not come up; the message ends with the last lines of its log."""


def log_tail(log_file: Path, lines: int = 15) -> str:
    """The end of a log, indented, for an error message."""
    try:
        text = log_file.read_bytes()[-8192:].decode(errors="replace")
    except OSError:
        return f"  (no log at {log_file})"
    tail = "\n".join(f"  {line}" for line in text.splitlines()[-lines:])
    return f"  … from {log_file}:\n{tail}" if tail else f"  ({log_file} is empty)"


def open_log(log_file: Path) -> BinaryIO:
    """To append to; a long one is put aside."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    if log_file.exists() and log_file.stat().st_size > _LONGEST_LOG_BYTES:
        log_file.replace(log_file.with_suffix(".old.log"))
    log_file.touch(mode=0o600)
    log_file.chmod(0o600)  # one of an earlier start too
    return log_file.open("ab")


class Process(Protocol):
    """What the supervisor needs of a process, whoever started it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: int, /) -> None: ...


def launch(
    argv: Sequence[str | Path],
    log_file: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: int | None = None,
    group: int | None = None,
    orphan_signal: int = signal.SIGTERM,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Starts a guarded process in a session of its own (Ctrl-C reaches us alone), its output appended to `log_file`."""
    with open_log(log_file) as log:
        process = subprocess.Popen(  # noqa: S603 - argv is ours, never a user's
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            umask=0o077,  # what it makes is for its owner alone
            pass_fds=pass_fds,
        )
    guard(process.pid, orphan_signal)
    return process


def end(process: Process, *steps: tuple[int, float]) -> int:
    """Sends each signal in turn and waits its seconds, until the process ends; returns its exit code.

    Without `steps`: SIGTERM, ten seconds, SIGKILL.
    """
    for number, seconds in (*(steps or ((signal.SIGTERM, 10.0),)), (signal.SIGKILL, 10.0)):
        if process.poll() is None:
            process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            break
    release(process.pid)
    return process.wait(0)


@dataclass(frozen=True)
class Child:
    """What to run: a new process of `argv`, unless `start` starts it another way. `healthy` is asked until it says yes;
    `stop_grace` is the time between SIGTERM and SIGKILL."""

    name: str
    argv: Sequence[str | Path]
    log_file: Path
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    start: Callable[[], Process] | None = None
    healthy: Callable[[], Awaitable[bool]] | None = None
    start_deadline: float = 30.0
    stop_grace: float = 10.0


@dataclass
class _Running:
    child: Child
    process: Process
    started: float = field(default_factory=time.monotonic)
    watcher: asyncio.Task[None] | None = None


class ProcessGroup:
    """Supervises children on the running event loop; `on_event(name, text)` is told of every crash and restart."""

    def __init__(self, on_event: Callable[[str, str], None]) -> None:
        self._on_event = on_event
        self._running: list[_Running] = []

    @property
    def pids(self) -> dict[str, int]:
        return {running.child.name: running.process.pid for running in self._running}

    async def start(self, child: Child) -> None:
        """Starts it and waits until it is healthy. Raises StartFailed, with the end of its log, if it is not."""
        running = _Running(child, await asyncio.to_thread(self._launch, child))
        self._running.append(running)
        try:
            await self._until_healthy(running)
        except BaseException:
            self._running.remove(running)
            await asyncio.to_thread(end, running.process)
            raise
        running.watcher = asyncio.create_task(self._watch(running))

    async def stop(self) -> None:
        """Stops all, last started first. Returns when every one of them has ended."""
        # No watcher may start again what the next lines stop.
        watchers = [running.watcher for running in self._running if running.watcher]
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        while self._running:
            running = self._running.pop()
            await asyncio.to_thread(end, running.process, (signal.SIGTERM, running.child.stop_grace))

    @staticmethod
    def _launch(child: Child) -> Process:
        if child.start is not None:
            return child.start()
        return launch(child.argv, child.log_file, env=child.env, cwd=child.cwd)

    async def _until_healthy(self, running: _Running) -> None:
        child, deadline = running.child, time.monotonic() + running.child.start_deadline
        while True:
            code = running.process.poll()
            if code is not None:
                raise StartFailed(f"{child.name} ended with code {code}.\n{log_tail(child.log_file)}")
            if child.healthy is None or await child.healthy():
                return
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"{child.name} was not ready within {child.start_deadline:g} s.\n{log_tail(child.log_file)}"
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def _watch(self, running: _Running) -> None:
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            while (code := running.process.poll()) is None:  # noqa: ASYNC110 - a process sets no asyncio.Event
                await asyncio.sleep(_POLL_SECONDS)
            release(running.process.pid)
            if time.monotonic() - running.started > _STABLE_AFTER_SECONDS:
                backoff = _FIRST_BACKOFF_SECONDS
            self._on_event(running.child.name, f"ended with code {code}, starting again in {backoff:g} s")
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LONGEST_BACKOFF_SECONDS)
            running.started = time.monotonic()
            try:
                running.process = await asyncio.to_thread(self._launch, running.child)
            except OSError as error:
                self._on_event(running.child.name, f"cannot be started: {error.strerror}")
                continue
            self._on_event(running.child.name, f"started again as process {running.process.pid}")
