"""`kivuko up`: the whole of Kivuko on this machine, in the foreground, until Ctrl-C."""

import asyncio
import signal
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.markup import escape

from cli.context import key_file
from cli.errors import STDERR
from cli.output import AsJson, console, pairs, print_json
from core.settings import Settings, get_settings

if TYPE_CHECKING:
    from cli.demo.seed import Seeded
    from cli.local.stack import LocalStack

T = TypeVar("T")


class Interrupted(Exception):
    """Ctrl-C or SIGTERM came while something was still starting."""


def up(
    no_seed: Annotated[bool, typer.Option("--no-seed", help="Start empty: no demo lender, no tariffs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Starts PostgreSQL, Temporal with its UI, simulators, workers and the API; stays until Ctrl-C.

    Data stay under .kivuko/ and a second start goes on where the first one stopped.
    """
    asyncio.run(_Foreground(get_settings(), seeded=not no_seed, as_json=as_json).run())


class _Foreground:
    """One run: start, seed, say where everything is, wait for the signal, stop."""

    def __init__(self, settings: Settings, *, seeded: bool, as_json: bool) -> None:
        self.settings, self.seeded, self.as_json = settings, seeded, as_json
        self.began = time.monotonic()
        self.stop = asyncio.Event()
        self.stopping = False

    async def run(self) -> None:
        from cli.local.stack import LocalStack

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled)
        stack = LocalStack(self.settings, on_progress=self._tell)
        try:
            await self._unless_stopped(stack.start())
        except Interrupted:
            return  # start() has stopped again whatever had been started
        try:
            seeded = await self._unless_stopped(self._prepare(stack.settings))
            self._say_ready(stack, seeded)
            await self.stop.wait()
        except Interrupted:
            pass
        finally:
            self.stopping = True
            await stack.stop()

    async def _prepare(self, settings: Settings) -> "Seeded | None":
        from cli.demo.seed import seed
        from temporal.client import connect
        from temporal.schedules import ensure_house_schedules

        client = await connect(settings)
        await ensure_house_schedules(client)
        self._tell("schedules", "in place")
        if not self.seeded:
            return None
        return await seed(settings, client, self._tell)

    async def _unless_stopped(self, work: Awaitable[T]) -> T:
        """The work's result; a signal cancels it, waits until it has cleaned up, and raises Interrupted."""
        task = asyncio.ensure_future(work)
        stopped = asyncio.create_task(self.stop.wait())
        await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not task.done():
            self.stopping = True
            task.cancel()
            await asyncio.wait([task])
            raise Interrupted
        return task.result()

    def _signalled(self) -> None:
        if self.stop.is_set():
            STDERR.print("[dim]Still stopping: running activities are finished first.[/]")
        self.stop.set()

    def _tell(self, part: str, text: str) -> None:
        waited = f"{time.monotonic() - self.began:5.1f} s"
        bad = any(word in text for word in ("ended", "cannot"))
        mark = "[red]✗[/]" if bad else "[green]✓[/]" if text in _DONE else "[dim]·[/]"
        STDERR.print(f"[dim]{waited}[/]  {mark} {escape(part):<18} {escape(text)}")

    def _say_ready(self, stack: "LocalStack", seeded: "Seeded | None") -> None:
        seconds = round(time.monotonic() - self.began, 1)
        settings, urls = stack.settings, stack.urls
        facts: dict[str, Any] = {
            "Console": f"{urls['api']}/console",
            **{f"  as {name.title()}, once": link for name, link in (seeded.sign_in if seeded else {}).items()},
            "API": f"{urls['api']}/api/v1",
            "API documentation": urls["api documentation"],
            "Temporal UI": urls.get("temporal ui"),
            "Simulators": f"{urls['simulators']}/docs",
            "What really happened": f"{urls['simulators']}/books/payouts  /books/loans  /books/messages",
            "Data": settings.data_dir,
            "Logs": settings.data_dir / "logs",
            "Admin key": key_file(settings) if seeded else None,
            "Demo lender": f"{seeded.partner_name} ({seeded.partner_id})" if seeded else None,
        }
        if self.as_json:
            print_json({"ready": True, "seconds": seconds, "urls": urls, "data": settings.data_dir,
                        "admin_key_file": facts["Admin key"], "partner_id": seeded and seeded.partner_id,
                        "sign_in": seeded.sign_in if seeded else {}})  # fmt: skip
            return
        out = console()
        out.print(f"\n[bold green]Kivuko is ready[/] after {seconds} s.\n")
        out.print(pairs(None, facts))
        out.print("\n[bold]What to try next[/], in another terminal:")
        for command, what in _NEXT if seeded else _NEXT[-2:]:
            out.print(f"  [cyan]{command:<28}[/] {what}")
        out.print("\nCtrl-C stops everything; the data stay.\n")


_DONE = frozenset({"ready", "done", "registered", "in place", "stopped"})
_NEXT = (
    ("kivuko demo loan", "an approved loan is paid out and posted back, live"),
    ("kivuko demo topup", "a wallet is topped up by bank transfer"),
    ("kivuko demo float", "float is bought, confirmed with a code"),
    ("kivuko demo collect", "a borrower pays back; any demo takes --faults"),
    ("kivuko balances --check", "every account, and whether the books balance"),
    ("kivuko disbursements", "what was paid so far"),
    ("kivuko doctor", "looks at everything that Kivuko needs"),
    ("kivuko --help", "all commands"),
)
