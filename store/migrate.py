"""Brings a database to the newest schema, from code: the same migrations as `alembic upgrade head`."""

import random
import time
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import OperationalError

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
            return
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable) or not left:
                raise
            time.sleep(random.uniform(*_PAUSE))
