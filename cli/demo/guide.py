"""What every demo does: act through the API, follow a saga live, look into the books of all sides."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, TypeVar

import typer
from rich.console import Console

from cli import context
from cli.commands.balances import Books, read_books
from cli.context import wait_for
from cli.demo.lender import B2C_ACCOUNT, CURRENCY, LENDER, WALLET_ACCOUNT
from cli.demo.promises import Scene, decimal
from cli.demo.verdicts import judge_books
from cli.demo.world import SimulatedWorld
from cli.errors import STDERR, Failure
from cli.follow import Narrator, follow
from cli.http import ApiClient, poll
from cli.kinds import ENDED, path_of
from core.settings import Settings

T = TypeVar("T")

_ENDED_WITHIN: Final = 60.0
_SEEN_WITHIN: Final = 15.0
_MADE_WITHIN: Final = 60.0
# Credits whose owner nobody has said yet, or that were given back at a counter: at the bank, and not in our ledger.
_NOT_OURS: Final = ("unallocated", "approval", "returned")


@dataclass
class Guide:
    """One demo's hands and eyes, for the demo lender."""

    here: Settings
    api: ApiClient
    world: SimulatedWorld
    partner_id: str
    out: Console
    narrator: Narrator
    _told: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _dealt: dict[str, dict[str, int]] = field(default_factory=dict)

    def begin(self, title: str) -> None:
        """A new scene, whose clock starts anew."""
        self.narrator = Narrator(self.out)
        self.out.print(f"\n[bold]{title}[/]\n")

    @contextmanager
    def scene(self, name: str) -> Iterator[Scene]:
        """A scene and its clock. What was to go wrong in it must have gone wrong, or else it shows nothing."""
        began = time.monotonic()
        scene = Scene(name)
        yield scene
        self._promise_trouble(scene)
        scene.seconds = round(time.monotonic() - began, 2)
        scene.facts["Time"] = f"{scene.seconds:.1f} s"

    def ask(self, path: str, **body: Any) -> dict[str, Any]:
        """What the demo lender asks for, as the API answers it."""
        return dict(self.api.post(path, {"partner_id": self.partner_id, **body}))

    def aside(self, *lines: str) -> None:
        for line in lines:
            self.narrator.aside(line)

    def follow(
        self,
        scene: Scene,
        saga_id: str,
        until: Callable[[dict[str, Any]], bool] = lambda row: row["stage"] in ENDED,
        seconds: float = _ENDED_WITHIN,
    ) -> dict[str, Any]:
        """Tells the saga's lines as they come. Its row when it has ended (or is where `until` wants it), or when the time
        is up: then a promise about its stage is broken."""
        for event in follow(self.api, saga_id, seconds=seconds, until=until, seen=self._told[saga_id]):
            scene.events.append(event)
            self.narrator.tell(event)
        return dict(self.api.get(path_of(saga_id)))

    def trouble(self, scene: Scene, operation: str, action: str, match: dict[str, str], **options: Any) -> None:
        """What goes wrong with the next call that has these facts; see `scene`."""
        self._dealt.setdefault(scene.name, {})[f"{operation}:{action}"] = self.world.dealt(operation, action)
        self.world.fault(operation, action, match, **options)

    def _promise_trouble(self, scene: Scene) -> None:
        planned = self._dealt.get(scene.name, {})
        missing = [name for name, before in planned.items() if self.world.dealt(*name.split(":")) <= before]
        if planned:
            scene.promise("what was to go wrong went wrong", not missing, ", ".join(missing or planned))

    def watch_now(self, provider: str) -> None:
        """What a schedule looks for at this provider is looked for now. Raises Failure if there is no such schedule."""
        if not wait_for(_watch_now(self.here, provider, self.partner_id)):
            raise Failure(f"No schedule watches {provider} for {LENDER}: `kivuko up` makes it.", code="not_found")

    def eventually(self, look: Callable[[], T], enough: Callable[[T], object], seconds: float = _SEEN_WITHIN) -> T:
        """What is seen as soon as it is enough, or when the time is up."""
        for _ in poll(seconds, every=0.2):
            if enough(seen := look()):
                break
        return seen

    def newest(self, path: str, fits: Callable[[dict[str, Any]], bool], seconds: float = 20) -> dict[str, Any] | None:
        """The newest saga of a kind that fits, as soon as there is one; None if there is none in time."""

        def look() -> dict[str, Any] | None:
            rows = self.api.get(path, partner_id=self.partner_id, limit=20)["items"]
            return next((row for row in rows if fits(row)), None)

        return self.eventually(look, bool, seconds)

    # ------------------------------------------------------------------------------------------------------- our books

    def wallet(self) -> dict[str, Any]:
        return dict(self.api.get(f"/partners/{self.partner_id}/wallet"))

    def lines(self, fits: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """What changed the wallet's balance, oldest first. Holds and releases change nothing and are left out."""
        entries = self.api.get(f"/partners/{self.partner_id}/wallet/entries", limit=100)["items"]
        return [entry for entry in reversed(entries) if fits(entry) and decimal(entry["change"])]

    def cases(self, workflow_id: str, state: str = "open") -> list[dict[str, Any]]:
        return list(self.api.get("/cases", workflow_id=workflow_id, state=state)["items"])

    def contacts(self, role: str | None = None) -> dict[str, int]:
        """How many of the lender's people a message reaches, by channel."""
        people = self.api.get(f"/partners/{self.partner_id}")["contacts"]
        told = [person for person in people if role is None or person["role"] == role]
        return {"sms": sum(1 for one in told if one["phone"]), "email": sum(1 for one in told if one["email"])}

    def promise_messages(self, scene: Scene, text: str) -> list[str]:
        """An SMS to everybody of the lender's with a phone and an email to everybody with an address hold this text, no more
        and no fewer. The texts, SMS first."""
        wanted = self.contacts()

        def count() -> dict[str, int]:
            return {channel: len(self.world.messages(text, channel)) for channel in wanted}

        seen = self.eventually(count, lambda seen: all(seen[channel] >= number for channel, number in wanted.items()))
        scene.seen["messages"] = [m["text"] for channel in wanted for m in self.world.messages(text, channel)]
        told = ", ".join(f"{number} {channel}" for channel, number in seen.items())
        scene.promise("the lender was told by SMS and email", seen == wanted and any(seen.values()), told)
        return list(scene.seen["messages"])

    def promise_books(self, scene: Scene) -> None:
        """Our ledger keeps its own rules, and has on each account what the bank has, to the cent."""
        names = {WALLET_ACCOUNT: "wallet's account", B2C_ACCOUNT: "B2C account"}

        def look() -> tuple[Books, list[tuple[str, Decimal, Decimal]]]:
            books = wait_for(read_books(check=True))
            return books, [(name, self._at_bank(number), _booked(books, number)) for number, name in names.items()]

        books, accounts = self.eventually(look, lambda seen: all(bank == ours for _, bank, ours in seen[1]), 5)
        scene.promises += judge_books(books.breaches or [], accounts)

    def _at_bank(self, number: str) -> Decimal:
        """What the bank has got for us on this account since our books began, credits aside that nobody has claimed."""
        entries = self.world.bank_entries(number)
        moved = sum(
            (Decimal(entry["amount"]) * (1 if entry["direction"] == "credit" else -1)
             for entry in entries if entry["kind"] != "opening"),
            Decimal(0),
        )  # fmt: skip
        if number != WALLET_ACCOUNT:
            return moved
        unclaimed = [
            row
            for stage in _NOT_OURS
            for row in self.api.pages("/top-ups", partner_id=self.partner_id, stage=stage, limit=200)
            if row["method"] == "unannounced"
        ]
        return moved - sum((decimal(row["amount"]) for row in unclaimed), Decimal(0))


def _booked(books: Books, number: str) -> Decimal:
    account = f"bank:{number}:{CURRENCY}"
    return sum((decimal(pool["posted"]) for pool in books.pools if pool["account"] == account), Decimal(0))


async def _watch_now(here: Settings, provider: str, partner_id: str) -> bool:
    from temporal.client import connect
    from temporal.schedules import trigger_watch

    return await trigger_watch(await connect(here), provider, partner_id)


@contextmanager
def guided(ctx: typer.Context, out: Console) -> Iterator[Guide]:
    """A guide through the demo lender's systems. Raises Failure if `kivuko up` has not made them."""
    here = context.settings()
    with context.api(ctx) as api, SimulatedWorld(f"http://{here.simulators.host}:{here.simulators.port}") as world:
        yield Guide(here, api, world, demo_lender(api, world, _MADE_WITHIN), out, Narrator(out))


def demo_lender(api: ApiClient, world: SimulatedWorld, seconds: float, every: float = 0.5) -> str:
    """The demo lender's id, as soon as `kivuko up` has finished making it: the API answers before that. Raises Failure if it
    is not there in time."""
    told = False
    for _ in poll(seconds, every=every):
        partner = next((one for one in api.pages("/partners") if one["name"] == LENDER), None)
        # Where M-Pesa announces payments is the last thing that is registered for the lender.
        if partner and world.announces_payments():
            return str(partner["id"])
        if not told:
            STDERR.print(f"[dim]Waiting for {LENDER}: `kivuko up` is still making it.[/]")
            told = True
    raise Failure(f"There is no lender called {LENDER}: `kivuko up` makes it.", code="not_found")
