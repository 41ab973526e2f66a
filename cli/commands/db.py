"""`kivuko db`: the schema of our PostgreSQL."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import database_url, open_database, settings, wait_for
from cli.errors import STDERR, Failure
from cli.output import AsJson, console, pairs, print_json

if TYPE_CHECKING:
    from alembic.config import Config

app = typer.Typer(no_args_is_help=True, help="The database: migrate it, ask for its revision, check its schema.")


def revisions(url: str) -> tuple[str | None, str | None]:
    """The database's revision and the newest one of the code. Raises if the database cannot be reached."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine, pool

    from store.database import sqlalchemy_url
    from store.migrate import alembic_config

    head = ScriptDirectory.from_config(alembic_config(url)).get_current_head()
    engine = create_engine(sqlalchemy_url(url), poolclass=pool.NullPool, connect_args={"connect_timeout": 5})
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision(), head
    finally:
        engine.dispose()


@app.command()
def migrate(as_json: AsJson = False) -> None:
    """Brings the database to the newest schema. Safe to run at every start and by several at once."""
    from store.migrate import migrate as to_head

    url = database_url(settings())
    before, head = revisions(url)
    if before != head:
        to_head(url)
    after, _ = revisions(url)
    if as_json:
        print_json({"before": before, "after": after})
    elif before == after:
        console().print(f"[green]✓[/] already at revision {after}")
    else:
        console().print(f"[green]✓[/] migrated from {before or 'nothing'} to {after}")


@app.command()
def current(as_json: AsJson = False) -> None:
    """The database's revision and the code's; exit code 1 if they differ."""
    at, head = revisions(database_url(settings()))
    if as_json:
        print_json({"revision": at, "head": head, "current": at == head})
    else:
        console().print(
            f"revision {at or 'none'}, newest {head}" + ("" if at == head else " — run `kivuko db migrate`")
        )
    if at != head:
        raise typer.Exit(1)


@app.command()
def check(
    scratch: Annotated[
        bool, typer.Option("--scratch", help="On a fresh embedded server of its own, thrown away afterwards.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Does the migrated schema match the models? Exit code 1, naming each difference, if not."""
    if scratch:
        from cli.local.postgres import EmbeddedPostgres
        from store.migrate import migrate as to_head

        # Beside the system's own folder for such things, so that a socket's path stays short enough.
        with (
            tempfile.TemporaryDirectory(prefix="kivuko-") as folder,
            EmbeddedPostgres(Path(folder) / "pg", durable=False) as server,
        ):
            to_head(server.url)
            differences = _differences(server.url)
    else:
        differences = _differences(database_url(settings()))
    if as_json:
        print_json({"differences": differences})
    if differences:
        if as_json:
            raise typer.Exit(1)
        raise Failure("The schema and the models differ.", code="schema_differs", differences="; ".join(differences))
    if not as_json:
        console().print("[green]✓[/] the schema is what the models say")


@app.command("fill-search")
def fill_search(
    again: Annotated[bool, typer.Option("--again", help="Also what was done before.")] = False, as_json: AsJson = False
) -> None:
    """Gives older payments what they are found by: phones and names, hashed by the first search key. What breaks off goes on
    where it was. Run it after the upgrade that brought the search, and after a change of search keys."""
    rows, pruned = wait_for(_fill_search(again=again, quiet=as_json))
    if as_json:
        print_json({"rows": rows, "pruned": pruned})
        return
    console().print(pairs(None, rows))
    console().print(f"[green]✓[/] {sum(rows.values())} rows are found by their people; {pruned} old hashes taken away")


async def _fill_search(*, again: bool, quiet: bool) -> tuple[dict[str, int], int]:
    """Rows by table, and hashes of former keys that were taken away."""
    from rich.progress import Progress as Bar

    from store.platform import search_fill

    rows: dict[str, int] = {}
    async with open_database(settings()) as database:
        with Bar("[progress.description]{task.description}", console=STDERR, transient=True, disable=quiet) as bar:
            tasks: dict[str, Any] = {}
            async for made in search_fill.fill(database, again=again):
                task = tasks.setdefault(made.source, bar.add_task(made.source, total=None))
                rows[made.source] = made.rows
                bar.update(task, description=f"{made.source}: {made.rows:,} rows", completed=made.rows)
        return rows, await search_fill.prune(database)


@app.command("url")
def show_url(as_json: AsJson = False) -> None:
    """The database's address, as libpq and psql take it. It may hold a password."""
    url = database_url(settings())
    if as_json:
        print_json({"url": url})
    else:
        print(url)


def _differences(url: str) -> list[str]:
    from alembic import command
    from alembic.util import AutogenerateDiffsDetected, CommandError

    try:
        command.check(_quiet(url))
    except AutogenerateDiffsDetected as found:
        return [_spelled(diff) for diff in found.diffs]
    except CommandError as error:
        return [str(error)]
    return []


def _quiet(url: str) -> "Config":
    from store.migrate import alembic_config

    config = alembic_config(url)
    config.print_stdout = lambda *_, **__: None  # type: ignore[method-assign]
    return config


def _spelled(diff: Any) -> str:
    parts = diff if isinstance(diff, list) else [diff]
    return ", ".join(" ".join(str(piece) for piece in part) for part in parts)
