"""What a log shows of what strangers wrote: every character, and none that steers a terminal or makes a line of its own."""

import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from core.logs import configure_logs, visible
from core.texts import is_unseen

HOSTILE = "Wanjiru\x1b[31m\r\nERROR forged line\x9b2J\u202e\ud800\x00"


@pytest.fixture
def fresh_logging() -> Iterator[None]:
    root = logging.getLogger()
    before, structure = root.handlers[:], structlog.get_config()
    root.handlers = []
    yield
    root.handlers = before
    structlog.configure(**structure)


@pytest.mark.parametrize("fmt", ["console", "json"])
def test_a_line_stays_one_line_and_steers_nothing(
    fmt: Literal["console", "json"], fresh_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger().handlers = []  # the test runner has put its own there
    configure_logs(fmt, "INFO")
    structlog.get_logger().warning("push_refused", name=HOSTILE, why=HOSTILE)
    logging.getLogger("temporalio").warning("failed for %s", HOSTILE)
    written = capsys.readouterr().err
    assert len(written.splitlines()) == 2
    assert not [char for char in written if char != "\n" and is_unseen(char)]
    assert "Wanjiru" in written


def test_a_traceback_keeps_its_lines(fresh_logging: None, capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger().handlers = []
    configure_logs("json", "INFO")
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logging.getLogger("x").exception("failed")
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert not [char for char in written if char != "\n" and is_unseen(char)]


def test_what_can_be_seen_stays() -> None:
    assert visible("Wanjirũ ✓ 12,500") == "Wanjirũ ✓ 12,500"
    assert visible("a\x1bb\nc") == "a\\x1bb\\nc"
    assert visible("a\nb", lines=True) == "a\nb"
