"""A process that has imported our programs and forks them: what four programs import alike is then imported once, and lies
in memory once, instead of four times.

This file is both ends. `Nursery` is the supervisor's; `python -m cli.local.nursery` is the process. Between them is a
socket on which each message is one JSON object: module, log and variables ask for a program, `{"pid"}` answers, and
`{"pid", "code"}` tells of an end. Only on Linux: elsewhere libraries may start threads when they are imported, and a fork
would lose them.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from cli.local.processes import launch, open_log

SUPPORTED: Final = sys.platform == "linux"
_LONGEST_MESSAGE: Final = 1 << 17
_POLL_SECONDS: Final = 0.05


class Forked:
    """A program that the nursery forked, as `subprocess.Popen` would show it."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.pid, self._nursery = pid, nursery

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None while it runs."""
        return self._nursery.code_of(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        """Raises TimeoutExpired."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(_POLL_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Nursery:
    """Imports `modules` (packages with a `__main__`) in a process of its own, from now on. Blocking; from any thread."""

    def __init__(self, modules: Collection[str], log_file: Path, env: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel, self._lock, self._ended = ours, threading.Lock(), dict[int, int]()
        argv = [sys.executable, "-m", "cli.local.nursery", str(theirs.fileno()), *modules]
        with theirs:
            self.process = launch(argv, log_file, env=env, pass_fds=(theirs.fileno(),))

    def fork(self, module: str, log_file: Path, env: Mapping[str, str]) -> Forked:
        """Runs `python -m module`; waits until everything is imported. Raises OSError if the nursery is gone."""
        open_log(log_file).close()
        with self._lock:
            self._channel.send(json.dumps({"module": module, "log": str(log_file), "env": dict(env)}).encode())
            while True:
                told = self._next()
                if "code" not in told:
                    return Forked(self, told["pid"])
                self._ended[told["pid"]] = told["code"]

    def code_of(self, pid: int) -> int | None:
        with self._lock:
            with contextlib.suppress(OSError):
                while select.select([self._channel], [], [], 0)[0]:
                    told = self._next()
                    self._ended[told["pid"]] = told["code"]
            if pid not in self._ended and self.process.poll() is not None and not _exists(pid):
                self._ended[pid] = 1  # whoever would have told its code is gone
            return self._ended.get(pid)

    def close(self) -> None:
        """Ends the nursery; what it forked lives on."""
        self._channel.close()

    def _next(self) -> dict[str, Any]:
        message = self._channel.recv(_LONGEST_MESSAGE)
        if not message:
            raise ConnectionResetError("the nursery is gone")
        return dict(json.loads(message))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


# ------------------------------------------------------------------------------------------------- the process of its own


def _main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    for module in sys.argv[2:]:
        importlib.import_module(f"{module}.__main__")
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    gc.collect()
    gc.freeze()  # the collector's marks would make every process a copy of every page
    while True:
        ready, _, _ = select.select([channel.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_ends(channel)
        if channel.fileno() in ready:
            message = channel.recv(_LONGEST_MESSAGE)
            if not message:
                os._exit(0)
            wanted = json.loads(message)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for fd in (channel.fileno(), woken, wake):
                    os.close(fd)
                _become(wanted["module"], wanted["log"], wanted["env"])
            channel.send(json.dumps({"pid": pid}).encode())


def _tell_ends(channel: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            channel.send(json.dumps({"pid": pid, "code": os.waitstatus_to_exitcode(status)}).encode())


def _become(module: str, log_file: str, env: dict[str, str]) -> None:
    """The forked program: as if it had been started with these variables, its output in its log."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with Path(log_file).open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        os.environ.clear()
        os.environ.update(env)
        sys.argv = [module]
        del sys.modules[f"{module}.__main__"]  # imported for what it imports; now it is run
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _main()
