"""From `kivuko up` to ready, and what the whole stack then holds in memory: first start and second, as people start it.

The first start makes the databases and seeds the demo; a second one finds both, and is what "installed" means. Memory counts
what processes share once (PSS), of every process that the command started, and of itself.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from benchmarks.figures import Figure
from benchmarks.stack import MIB
from cli.local.ports import free_port


def run(folder: Path) -> list[Figure]:
    """A minute or less. Blocking."""
    environment = os.environ | {
        "KIVUKO_DATA_DIR": str(folder / ".kivuko"),
        **{f"KIVUKO_{name}": str(free_port()) for name in (
            "API__PORT", "TEMPORAL__PORT", "TEMPORAL__UI_PORT", "SIMULATORS__PORT", "SIMULATORS__SMTP_PORT",
        )},
    }  # fmt: skip
    first, _, _ = _start(environment)
    again, spent, parts = _start(environment)
    return [
        Figure("from `kivuko up` to ready, first start with seeding", first, "s", None, None, None),
        Figure("from `kivuko up` to ready, installed", again, "s", None, None, "within 8"),
        Figure("processor time of that start", spent, "s", None, None, None),
        Figure("memory of the whole local stack, ready", sum(parts.values()), "MiB", None, None, "under 580"),
        *(Figure(f"… of it {name}", held, "MiB", None, None, None) for name, held in parts.items()),
    ]


def _start(environment: dict[str, str]) -> tuple[float, float, dict[str, float]]:
    """Seconds until ready, seconds of processor time, and MiB by program."""
    command = [sys.executable, "-m", "cli.main", "up", "--json"]
    began = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            told = b""
            while not told.rstrip().endswith(b"}"):
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError("`kivuko up` ended before it was ready")
                told += line
            assert json.loads(told)["ready"]
            seconds = time.monotonic() - began
            tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            spent = sum(sum(one.cpu_times()[:2]) for one in tree)
            return seconds, spent, _memory(tree)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _memory(tree: list[psutil.Process]) -> dict[str, float]:
    parts: dict[str, float] = {}
    for one in tree:
        name = _name(one)
        parts[name] = parts.get(name, 0.0) + one.memory_full_info().pss / MIB
    return dict(sorted(parts.items(), key=lambda part: -part[1]))


def _name(process: psutil.Process) -> str:
    argv = process.cmdline()
    if "cli.local.nursery" in argv:
        return (
            "programs"
            if process.parent() and "cli.local.nursery" in (process.parent() or process).cmdline()
            else "nursery"
        )
    if "-m" in argv:
        queues = process.environ().get("KIVUKO_WORKER__QUEUES", "")
        module = argv[argv.index("-m") + 1]
        return "callers" if module == "workers" and "flows" not in queues else module
    return "postgres" if process.name().startswith("postgres") else process.name().removeprefix("python")
