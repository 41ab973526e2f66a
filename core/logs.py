"""Structured logs: one line an event, JSON in production, colour in a terminal; no URL with a secret in it, and nothing
that a stranger wrote steers the terminal that shows them or makes a line of its own."""

import logging
import sys
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, WrappedLogger

from core.texts import is_unseen


def configure_logs(fmt: Literal["console", "json"], level: str) -> None:
    """Call once at the start of a process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Visible("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    # httpx logs whole URLs at INFO, and one SMS gateway takes its key in the query string.
    for chatty in ("httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _visible_values,
            structlog.processors.JSONRenderer()
            if fmt == "json"
            else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


class _Visible(logging.Formatter):
    """What libraries log: their messages may quote what a stranger wrote. Only a traceback has lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's name
        return visible(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the base class's name
        return visible(super().formatException(ei), lines=True)


def _visible_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {
        name: visible(value, lines=name == "exception") if isinstance(value, str) else value
        for name, value in event.items()
    }


def visible(text: str, *, lines: bool = False) -> str:
    """Each character that steers, formats or hides as its escape, so that a log shows what came."""
    return "".join(
        char if not is_unseen(char) or (lines and char == "\n") else char.encode("unicode_escape", "replace").decode()
        for char in text
    )
