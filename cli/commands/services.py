"""`kivuko api|worker|simulators`: one process in the foreground, as a supervisor or a container runs it."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cli.context import database_url, settings
from cli.errors import Failure
from temporal.queues import SERVED, queues_named


def api() -> None:
    """The HTTP API in this process."""
    _become("api")


def worker(
    queue: Annotated[
        list[str] | None, typer.Option(help=f"Serve this queue only ({', '.join(SERVED)}); may be given again.")
    ] = None,
) -> None:
    """A Temporal worker in this process; stops gracefully on SIGTERM."""
    if queue:
        try:
            queues_named(queue)
        except ValueError as error:
            sentence = str(error)
            raise Failure(f"{sentence[0].upper()}{sentence[1:]}.", code="usage") from None
        os.environ["KIVUKO_WORKER__QUEUES"] = "[" + ", ".join(f'"{name}"' for name in queue) + "]"
    _become("workers")


def simulators() -> None:
    """The simulated providers in this process; never part of a production image."""
    _become("simulators")


def _become(module: str) -> NoReturn:
    """Replaces this process, so that signals and the exit code are the service's own."""
    if importlib.util.find_spec(module) is None:
        raise Failure(f"`{module}` is not part of this installation.", code="not_installed")
    if module != "simulators":
        os.environ["KIVUKO_DATABASE__URL"] = database_url(settings())
    root = str(Path(__file__).resolve().parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", module])  # noqa: S606 - our own program, no shell wanted
