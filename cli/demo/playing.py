"""What every demo's command does: play its scenes, show each with its promises, say the verdict."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import typer
from rich.console import Console

from cli.demo.guide import Guide, guided
from cli.demo.promises import Judged, conclude, show
from cli.errors import STDERR, Failure
from cli.output import console

MONEY: Final = r"[1-9]\d{0,6}(\.\d{1,2})?"
SHILLINGS: Final = r"[1-9]\d{0,5}"


class Demo(Protocol):
    """Plays the scenes that its command names, one after the other."""

    def play(self, name: str, amount: str) -> Judged: ...


def play(
    ctx: typer.Context,
    demo: Callable[[Guide], Demo],
    names: Sequence[str],
    titles: Mapping[str, str],
    amount: str,
    *,
    as_json: bool,
    key: str = "scenes",
) -> None:
    """Every scene, its facts and promises, the verdict; `key` is what JSON calls the scenes. Exit code 1 if a promise does
    not hold; raises Failure if a scene cannot even be played."""
    shown: list[Judged] = []
    with guided(ctx, _live(as_json)) as guide:
        playing = demo(guide)
        for name in names:
            guide.begin(titles[name])
            shown.append(playing.play(name, amount))
            if not as_json:
                show(shown[-1], guide.here)
    conclude(shown, as_json=as_json, key=key)


def check_amount(amount: str, pattern: str, such_as: str) -> None:
    """Raises Failure for an amount that M-Pesa or the bank could not carry."""
    if not re.fullmatch(pattern, amount):
        raise Failure(f"The amount is in KES, such as {such_as}.", code="usage")


def _live(as_json: bool) -> Console:
    """Where the story is told: with `--json` standard output belongs to the answer."""
    return STDERR if as_json else console()
