"""Files that commands read and write, and the parts in which long ones are sent."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.errors import STDERR, Failure
from core.csv_files import BadFile

T = TypeVar("T")

# So few at a time that each part is answered well within the time that we wait for an answer.
PART: Final = 25


def read_bytes(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.", code="usage") from None


def read_text(file: str) -> str:
    try:
        return read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Failure(f"{file} is not UTF-8; save it as “CSV UTF-8”.", code="usage") from None


def write_text(file: str, text: str) -> None:
    try:
        Path(file).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.", code="usage") from None


def count_rows(text: str) -> int:
    """The records of a CSV text without its header."""
    return max(0, sum(1 for _ in csv.reader(io.StringIO(text, newline=""))) - 1)


def wrong(file: str, error: BadFile) -> Failure:
    """Every mistake of a file, by its line."""
    told = {one.field: f"{one.detail} ({one.rule})" for one in error.mistakes}
    return Failure(f"{file} is not taken; nothing was sent.", code="bad_file", **told)


def in_parts(
    rows: Sequence[T], send: Callable[[Sequence[T]], list[dict[str, Any]]], doing: str
) -> tuple[list[dict[str, Any]], Failure | None]:
    """The answers of all parts, and what stopped them, if something did: what was answered until then stays known."""
    answers: list[dict[str, Any]] = []
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=STDERR,
        transient=True, disable=not STDERR.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task(doing, total=len(rows))
        for first in range(0, len(rows), PART):
            part = rows[first : first + PART]
            try:
                answers += send(part)
            except Failure as failure:
                return answers, failure
            progress.advance(task, len(part))
    return answers, None
