"""Brings a database to the newest schema, from code: the same migrations as `alembic upgrade head`."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def alembic_config(url: str) -> Config:
    """Alembic's configuration for this database; independent of the working directory and of `alembic.ini`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    # A configuration file reads `%` as its own, and URLs with a socket's path may hold `%2F`.
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def migrate(url: str, revision: str = "head") -> None:
    """Blocking. Safe when several processes start together: the migrations take a lock in the database."""
    command.upgrade(alembic_config(url), revision)
