"""What a demo promised, what the books say of it, and the verdict: the same for every demo."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import typer
from rich.console import Console

from cli.output import console, pairs, plain, print_json
from core.settings import Settings


@dataclass(frozen=True)
class Promise:
    """One thing that must be true afterwards; `seen` is what the books say."""

    text: str
    kept: bool
    seen: str = ""


@dataclass
class Judged(ABC):
    """Something that was shown, with its promises."""

    promises: list[Promise] = field(default_factory=list, kw_only=True)

    @property
    def as_promised(self) -> bool:
        return all(promise.kept for promise in self.promises)

    @abstractmethod
    def table(self) -> dict[str, Any]:
        """What happened, for people's eyes."""

    @abstractmethod
    def workflows(self) -> list[str]:
        """The workflow ids of its sagas."""

    def plain(self) -> dict[str, Any]:
        """As `--json` shows it."""
        return {**asdict(self), "as_promised": self.as_promised}


@dataclass
class Scene(Judged):
    """One scene of a demo: `facts` are for people's eyes, `seen` is what was read in the books of all sides."""

    name: str
    saga_ids: list[str] = field(default_factory=list)
    workflow_ids: list[str] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    seconds: float = 0
    facts: dict[str, Any] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def add(self, row: dict[str, Any]) -> None:
        """Another saga of this scene, as the API last showed it."""
        self.saga_ids.append(row["id"])
        self.workflow_ids.append(row["workflow_id"])
        self.stages.append(row["stage"])

    def table(self) -> dict[str, Any]:
        return self.facts

    def workflows(self) -> list[str]:
        return self.workflow_ids

    def promise(self, text: str, kept: bool, seen: object = "") -> None:
        self.promises.append(Promise(text, kept, str(seen)))


def decimal(value: dict[str, Any]) -> Decimal:
    """{"amount": "12500.00", "currency": "KES"} as a number to count with."""
    return Decimal(value["amount"])


def kes(amount: Decimal) -> str:
    return f"KES {amount:,.2f}"


def masked(phone: str) -> str:
    return f"{phone[:4]}•••••{phone[-3:]}"


def temporal_link(here: Settings, workflow_id: str) -> str | None:
    """Where Temporal's UI shows this saga; None where we cannot know: a server elsewhere says nothing of its UI, unless
    somebody named its port (KIVUKO_TEMPORAL__UI_PORT)."""
    from temporal.client import connection_config

    config = connection_config(here)
    host, _, port = str(config["target_host"]).rpartition(":")
    is_ours = host in ("127.0.0.1", "localhost") and port == str(here.temporal.port)
    if host.endswith((".tmprl.cloud", ".api.temporal.io")):
        ui = "https://cloud.temporal.io"
    elif is_ours or "ui_port" in here.temporal.model_fields_set:
        ui = f"http://{host}:{here.temporal.ui_port}"
    else:
        return None
    return f"{ui}/namespaces/{quote(str(config['namespace']), safe='')}/workflows/{quote(workflow_id, safe='')}"


def show(one: Judged, here: Settings) -> None:
    """The table of facts, the links, the promises with a mark each."""
    out = console()
    out.print()
    out.print(pairs(None, one.table()))
    out.print()
    links = [link for workflow_id in one.workflows() if (link := temporal_link(here, workflow_id))]
    for link in links:
        out.print(f"[dim]In Temporal[/] {link}")
    if links:
        out.print()
    _tick(out, one.promises)


def conclude(shown: Sequence[Judged], *, as_json: bool, key: str) -> None:
    """The verdict over all that was shown, which JSON calls `key`. Exit code 1 if a promise does not hold."""
    kept = all(one.as_promised for one in shown)
    if as_json:
        print_json({"as_promised": kept, key: [one.plain() for one in shown]})
    elif kept:
        console().print("\n[bold green]Everything is as promised.[/]\n")
    else:
        console().print("\n[bold red]Something is not as promised: see the crosses above.[/]\n")
    if not kept:
        raise typer.Exit(1)


def _tick(out: Console, promises: Sequence[Promise]) -> None:
    for promise in promises:
        mark = "[green]✓[/]" if promise.kept else "[red]✗[/]"
        out.print(f"  {mark} {plain(promise.text)} [dim]({plain(promise.seen)})[/]")
