"""`make bench`: every figure in one table; each ratio within one run, against a floor on the same servers."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks import costs, flows, ledger, pgledger, search, start, waiting
from benchmarks.costs import Cost
from benchmarks.figures import Figure
from cli.local.postgres import EmbeddedPostgres
from store.migrate import migrate

SEARCHED: Final = 1_000_000  # payments; `python -m benchmarks --search 5000000` takes more
WAITING: Final = 1000  # of `make bench`; `make bench-waiting` takes ten thousand


async def measure(sagas: int, seconds: float, say: Console) -> tuple[list[Figure], list[Cost]]:
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="kivuko-bench-") as name:
        folder = Path(name)
        os.chmod(folder, 0o755)  # noqa: PTH101 - PostgreSQL runs as another account when we are root
        say.print("ledger …")
        with EmbeddedPostgres(folder / "pg") as server:
            migrate(server.url)
            figures += await ledger.run(server.url, seconds=seconds)
            figures += await pgledger.run(server.url, say, seconds=seconds)
        say.print("flows …")
        more, found = await flows.run(folder / "flows", sagas=sagas)
        say.print("waiting …")
        more += await waiting.run(folder / "waiting", sagas=WAITING)
    more += await measure_search(SEARCHED, say)
    return figures + more, found


async def measure_costs(sagas: int) -> list[Cost]:
    """What a payment of each kind costs, alone: a minute or two."""
    with tempfile.TemporaryDirectory(prefix="kivuko-bench-") as name:
        os.chmod(name, 0o755)  # noqa: PTH101 - PostgreSQL runs as another account when we are root
        return await flows.costs(Path(name), sagas=sagas)


async def measure_waiting(sagas: int) -> list[Figure]:
    """Only sagas that wait for float."""
    with tempfile.TemporaryDirectory(prefix="kivuko-bench-") as name:
        os.chmod(name, 0o755)  # noqa: PTH101 - PostgreSQL runs as another account when we are root
        return await waiting.run(Path(name), sagas=sagas)


async def measure_search(payments: int, say: Console) -> list[Figure]:
    """Only the search, among so many payments."""
    with tempfile.TemporaryDirectory(prefix="kivuko-bench-") as name:
        folder = Path(name)
        os.chmod(folder, 0o755)  # noqa: PTH101 - PostgreSQL runs as another account when we are root
        with EmbeddedPostgres(folder / "pg", durable=False) as server:
            migrate(server.url)
            return await search.run(server.url, say, payments=payments)


def measure_start() -> list[Figure]:
    """Only the start of the stack and its memory."""
    with tempfile.TemporaryDirectory(prefix="kivuko-bench-") as name:
        os.chmod(name, 0o755)  # noqa: PTH101 - PostgreSQL runs as another account when we are root
        return start.run(Path(name))


def table(figures: list[Figure]) -> Table:
    shown = Table(title="Kivuko, measured", title_justify="left")
    for column in ("what", "value", "ratio", "aim"):
        shown.add_column(column, justify="right" if column in ("value", "ratio") else "left")
    for figure in figures:
        ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
        colour = "" if figure.floor is None else "[green]" if figure.passed else "[red]"
        shown.add_row(figure.name, f"{figure.value:,.1f} {figure.unit}", f"{colour}{ratio}", figure.aim or "")
    return shown


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks")
    arguments.add_argument("--json", action="store_true", help="figures for machines on standard output")
    arguments.add_argument("--sagas", type=int, default=200)
    arguments.add_argument("--seconds", type=float, default=3.0, help="how long each ledger figure is measured")
    arguments.add_argument("--costs", action="store_true", help="only what a payment of each kind costs")
    arguments.add_argument("--waiting", type=int, metavar="SAGAS", help="only so many sagas that wait for float")
    arguments.add_argument(
        "--start", action="store_true", help="only how long the stack takes to start, and its memory"
    )
    arguments.add_argument(
        "--search",
        type=int,
        nargs="?",
        const=SEARCHED,
        metavar="PAYMENTS",
        help="only the search, among so many payments",
    )
    chosen = arguments.parse_args()
    figures: list[Figure] = []
    found: list[Cost] = []
    if chosen.costs:
        found = asyncio.run(measure_costs(chosen.sagas))
    elif chosen.start:
        figures = measure_start()
    elif chosen.search:
        figures = asyncio.run(measure_search(chosen.search, Console(stderr=True)))
    elif chosen.waiting:
        figures = asyncio.run(measure_waiting(chosen.waiting))
    else:
        figures, found = asyncio.run(measure(chosen.sagas, chosen.seconds, Console(stderr=True)))
    if chosen.json:
        told = {"figures": [asdict(figure) for figure in figures], "costs": [asdict(cost) for cost in found]}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    else:
        for shown in ([table(figures)] if figures else []) + ([costs.table(found)] if found else []):
            Console().print(shown)
    sys.stdout.flush()
    os._exit(0)  # the SDK's threads can crash an ordinary interpreter exit


if __name__ == "__main__":
    main()
