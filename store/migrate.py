"""Brings a database to the newest schema, from code: the same migrations as `alembic upgrade head`."""

import random
import time
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from psycopg.errors import LockNotAvailable
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from models.providers import PROVIDERS
from models.tables.base import table_of
from models.tables.platform.reference_lists import ClaimKindEntry, ProviderEntry
from store.database import sqlalchemy_url

_TRIES: Final = 20
_PAUSE: Final = (0.3, 1.5)  # seconds


def alembic_config(url: str) -> Config:
    """Alembic's configuration for this database; independent of the working directory and of `alembic.ini`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    # A configuration file reads `%` as its own, and URLs with a socket's path may hold `%2F`.
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def migrate(url: str, revision: str = "head", *, tries: int = _TRIES) -> None:
    """Blocking. Safe when several processes start together: the migrations take a lock in the database. A table that is in
    use is tried again after a while, in which those who queued behind us get their turn; what was done stays done, since
    each migration is a transaction of its own."""
    for left in reversed(range(tries)):
        try:
            command.upgrade(alembic_config(url), revision)
            break
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable) or not left:
                raise
            time.sleep(random.uniform(*_PAUSE))
    if revision == "head":
        _fill_lists(url)


def _fill_lists(url: str) -> None:
    """What columns may name: the code's own lists, of which an older installation lacks the newest entries. None is taken
    away, since rows may name it."""
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            names = [{"name": provider.name} for provider in PROVIDERS]
            connection.execute(insert(table_of(ProviderEntry)).on_conflict_do_nothing(), names)
            claims = [{"name": kind, "provider": provider.name} for provider in PROVIDERS for kind in provider.claims]
            connection.execute(insert(table_of(ClaimKindEntry)).on_conflict_do_nothing(), claims)
    finally:
        engine.dispose()
