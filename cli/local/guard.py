"""No orphans: a tiny process that outlives us by some seconds and ends our children if we die without stopping them.

It holds the other end of a pipe. When that closes (we were killed), it signals every process that it was told of. A
pipe works on every system and from every thread; Linux's parent-death signal follows the *thread* that started a child.
This file is also the guard's own program, so it imports nothing of ours.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

_ORPHAN_GRACE_SECONDS = 10.0


class _Guard:
    """The guard process of this process; it runs only while there is something to guard."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pids: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, pid: int, last_signal: int) -> None:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(  # noqa: S603 - our own file
                    [sys.executable, "-I", "-S", str(Path(__file__).resolve())],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for us, not for the guard
                    cwd="/",
                )
            self._pids.add(pid)
            self._tell(f"+ {pid} {int(last_signal)}\n")

    def forget(self, pid: int) -> None:
        with self._lock:
            if pid not in self._pids or self._process is None:
                return
            self._pids.discard(pid)
            self._tell(f"- {pid} 0\n")
            if not self._pids:
                # The guard may be gone already, killed with its pipe still full.
                with contextlib.suppress(BrokenPipeError):
                    self._process.communicate()
                self._process = None

    def _tell(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        # A guard that somebody ended is not worth failing for: it only serves the case that we die too.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


_guard = _Guard()


def guard(pid: int, last_signal: int = signal.SIGTERM) -> None:
    """From now on `pid` gets `last_signal`, and SIGKILL ten seconds later, if this process dies first."""
    _guard.watch(pid, last_signal)


def release(pid: int) -> None:
    """`pid` has ended, or may outlive us."""
    _guard.forget(pid)


class _Handle:
    """A process that cannot be confused with a later one of the same number, where the system offers that."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd: int | None = None
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._fd = os.pidfd_open(pid)

    def send(self, number: int) -> None:
        with contextlib.suppress(OSError):
            if self._fd is not None and hasattr(signal, "pidfd_send_signal"):
                signal.pidfd_send_signal(self._fd, number)
            elif not hasattr(os, "pidfd_open"):
                os.kill(self.pid, number)

    def ended_within(self, seconds: float) -> bool:
        if self._fd is not None:
            return bool(select.select([self._fd], [], [], seconds)[0])
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                os.kill(self.pid, 0)
            except OSError:
                return True
            time.sleep(0.1)
        return False

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)


def _main() -> None:
    watched: dict[int, tuple[_Handle, int]] = {}
    for line in sys.stdin:
        verb, pid, number = line.split()
        if verb == "+":
            watched[int(pid)] = (_Handle(int(pid)), int(number))
        elif (known := watched.pop(int(pid), None)) is not None:
            known[0].close()
    # The pipe is closed: our owner is gone. Last started, first stopped.
    for handle, number in reversed(watched.values()):
        handle.send(number)
        if not handle.ended_within(_ORPHAN_GRACE_SECONDS):
            handle.send(signal.SIGKILL)


if __name__ == "__main__":
    _main()
