"""What every command needs to know of this installation: settings, the database's address, the API's address and key."""

import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import typer

from cli.errors import Failure
from core.settings import Callbacks, Database, Settings, get_settings

if TYPE_CHECKING:
    import store.database
    from cli.http import ApiClient

T = TypeVar("T")

KEY_FILE: Final = "admin.key"
URL_FILE: Final = "database.url"


@dataclass(frozen=True)
class Reach:
    """What was given on the command line over the settings: the API's address and the key to speak with."""

    url: str | None = None
    key: str | None = None


def settings() -> Settings:
    """The settings, with the embedded server's socket where nobody named a database and `kivuko up` has made one."""
    found = get_settings()
    file = found.data_dir / URL_FILE
    if found.database.url == Database().url and file.is_file():
        url = file.read_text(encoding="utf-8").strip()
        found = found.model_copy(update={"database": found.database.model_copy(update={"url": url})})
    if found.callbacks.base_url == Callbacks().base_url:
        # As `kivuko up` does it: where nobody named another address, callbacks come to the API's own.
        base_url = api_url(Reach(), found)
        found = found.model_copy(update={"callbacks": found.callbacks.model_copy(update={"base_url": base_url})})
    return found


def api_url(reach: Reach, settings: Settings) -> str:
    """`--url`, KIVUKO_URL, or the address that the API of these settings listens on."""
    if reach.url:
        return reach.url.rstrip("/")
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.api.host, settings.api.host)  # noqa: S104 - compared
    return f"http://{host}:{settings.api.port}"


def api_key(reach: Reach, settings: Settings) -> str:
    """`--key`, KIVUKO_KEY, the bootstrap key, or the one that `kivuko up` wrote. Raises Failure if there is none."""
    if reach.key:
        return reach.key
    if settings.security.bootstrap_admin_key is not None:
        return settings.security.bootstrap_admin_key.get_secret_value()
    file = key_file(settings)
    if file.is_file():
        return file.read_text(encoding="utf-8").strip()
    raise Failure(
        f"No API key: give --key or KIVUKO_KEY, or run this where `kivuko up` keeps its data ({file} does not exist).",
        code="no_key",
    )


def key_file(settings: Settings) -> Path:
    return settings.data_dir / KEY_FILE


def write_secret(path: Path, secret: str) -> None:
    """For the owner's eyes alone, from its first moment on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secret + "\n")


def reach_of(ctx: typer.Context) -> Reach:
    found = ctx.find_root().obj
    return found if isinstance(found, Reach) else Reach()


def api(ctx: typer.Context) -> "ApiClient":
    """A client of the API with this command's key."""
    from cli.http import ApiClient

    here, reach = settings(), reach_of(ctx)
    return ApiClient(api_url(reach, here), api_key(reach, here))


def database_url(settings: Settings) -> str:
    """The database's address. Raises Failure if none was named and no local one was ever started here."""
    if settings.database.url == Database().url:
        raise Failure(
            f"No database: set KIVUKO_DATABASE__URL, or run this where `kivuko up` keeps its data "
            f"({settings.data_dir / URL_FILE} does not exist).",
            code="no_database",
        )
    return settings.database.url


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator["store.database.Database"]:
    """Our database for one command, with a statement timeout that a check of all books fits into."""
    from store.database import Database as Connections

    database_url(settings)  # says so if there is none
    database = Connections.of(settings, pool_size=2, statement_timeout_ms=10 * 60 * 1000)
    try:
        yield database
    finally:
        await database.close()


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Runs asynchronous work of a command to its end."""
    import asyncio

    return asyncio.run(work)
