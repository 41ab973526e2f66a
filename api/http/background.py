"""Work after the answer: a hint or a delivery that something else makes good if it fails here."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.background import BackgroundTask

log = structlog.get_logger()


def afterwards(what: str, work: Callable[[], Awaitable[Any]]) -> BackgroundTask:
    """Runs once the answer is sent. A failure is logged by its kind alone: its text may quote a request."""

    async def quietly() -> None:
        try:
            await work()
        except Exception as error:
            log.warning("background_failed", what=what, kind=type(error).__name__, code=getattr(error, "code", None))

    return BackgroundTask(quietly)
