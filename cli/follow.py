"""Following one saga live: its timeline, line by line as it is written, to its end."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from rich.console import Console

from cli.http import ApiClient
from cli.kinds import ENDED, path_of
from cli.output import MARKS, TONES, plain

# Facts that repeat what the line says already.
_QUIET: Final = frozenset({"source"})
_EVERY_SECONDS: Final = 0.25


def events(api: ApiClient, saga_id: str) -> list[dict[str, Any]]:
    """The timeline so far."""
    answer = api.get(f"{path_of(saga_id)}/events")
    return list(answer["items"] if isinstance(answer, dict) else answer)


def follow(
    api: ApiClient,
    saga_id: str,
    *,
    seconds: float | None = None,
    until: Callable[[dict[str, Any]], bool] = lambda row: row["stage"] in ENDED,
    seen: set[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """New lines as they come, until the saga has ended (or is where `until` wants it) or the time is up. `seen` holds the
    keys of the lines that were told before, and gets those that are told now."""
    seen = set() if seen is None else seen
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        # The state is read first: every line of an ended saga is written before or with its end.
        there = until(api.get(path_of(saga_id)))
        for event in events(api, saga_id):
            if event["key"] not in seen:
                seen.add(event["key"])
                yield event
        if there or (deadline is not None and time.monotonic() > deadline):
            return
        time.sleep(_EVERY_SECONDS)


class Narrator:
    """Prints timeline lines with the time since the first one, a mark and a colour."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._began: datetime | None = None

    def tell(self, event: dict[str, Any]) -> None:
        at = datetime.fromisoformat(str(event["at"]).replace("Z", "+00:00"))
        self._began = self._began or at
        tone = str(event.get("tone") or "info")
        facts = [f"{name} {value}" for name, value in (event.get("facts") or {}).items() if name not in _QUIET]
        self._line(f"+{(at - self._began).total_seconds():6.2f} s", tone, str(event["text"]), facts)

    def aside(self, text: str) -> None:
        """A word of ours between the saga's own lines."""
        self._out.print(f"[dim]            {plain(text)}[/]")

    def _line(self, when: str, tone: str, text: str, facts: list[str]) -> None:
        colour = TONES.get(tone, "cyan")
        self._out.print(f"  [dim]{when}[/]  [{colour}]{MARKS.get(tone, '•')}[/] {plain(text)}")
        if facts:
            self._out.print(f"[dim]               {plain(', '.join(facts))}[/]")
