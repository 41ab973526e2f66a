"""Records golden histories: `python -m tests.golden.record` (or `make record-histories`).

A path of a saga that has no history yet gets one; what a released saga left is written over only if its name is given:
`python -m tests.golden.record loan-disbursement-failed`. Each story has a house and a database of its own.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from temporalio.client import Client

from cli.local.postgres import EmbeddedPostgres
from store.database import Database
from tests.golden import stories_of_loans, stories_of_money
from tests.golden.story import Story
from tests.support.databases import database_from, make_template
from tests.support.folders import quick_folder
from tests.support.house import House, open_house
from tests.support.money_in import MoneyDesk
from tests.support.settings import of_a_test, wired_to
from tests.support.simulator_server import AppServer, SharedSimulators, running_simulators
from tests.support.temporal import start_environment

HISTORIES: Final = Path(__file__).parent / "histories"
STORIES: Final[dict[str, Story]] = {**stories_of_loans.STORIES, **stories_of_money.STORIES}


def wanted(named: Sequence[str], kept: Path = HISTORIES) -> list[str]:
    """The stories to record. SystemExit for a name that no story has."""
    if unknown := set(named) - set(STORIES):
        raise SystemExit(f"no such story: {', '.join(sorted(unknown))}; there are {', '.join(sorted(STORIES))}")
    return [name for name in STORIES if name in named or (not named and not (kept / f"{name}.json").exists())]


async def record(name: str, house: House) -> None:
    """Lives through one story and writes its history."""
    workflow_id = await STORIES[name](house, MoneyDesk(house))
    handle = house.client.get_workflow_handle(workflow_id)
    await asyncio.wait_for(handle.result(), 60)
    stored = {"workflow_id": workflow_id, "history": (await handle.fetch_history()).to_json_dict()}
    (HISTORIES / f"{name}.json").write_text(json.dumps(stored, indent=1) + "\n")


async def record_all(names: Sequence[str]) -> None:
    with ExitStack() as servers:
        folder = servers.enter_context(quick_folder())
        postgres = servers.enter_context(EmbeddedPostgres(folder / "pg", durable=False))
        template = make_template(postgres)
        server = AppServer()
        server.start()
        servers.callback(server.stop)
        simulators = servers.enter_context(running_simulators(server))
        async with await start_environment() as temporal:
            for name in names:
                async with _house(postgres, template, temporal.client, simulators) as house:
                    await record(name, house)
                print(name)


@asynccontextmanager
async def _house(
    postgres: EmbeddedPostgres, template: str, client: Client, simulators: SharedSimulators
) -> AsyncIterator[House]:
    with database_from(postgres, template) as url, tempfile.TemporaryDirectory() as data:
        database, world = Database(url), simulators.start_over()
        settings = wired_to(of_a_test(Path(data)), url, world)
        async with open_house(settings, database, client, world) as house:
            yield house
        await database.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="histories to record, though they are there already")
    asyncio.run(record_all(wanted(parser.parse_args().names)))
