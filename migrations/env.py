"""Alembic's entry: migrates `KIVUKO_DATABASE__URL`, or the URL that a caller put into the configuration."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from core.settings import get_settings
from models.tables.registry import metadata
from store.database import sqlalchemy_url

config = context.config
URL = config.get_main_option("sqlalchemy.url") or get_settings().database.url


def run() -> None:
    engine = create_engine(sqlalchemy_url(URL), poolclass=pool.NullPool)
    with engine.connect() as connection:
        # One migration at a time, however many processes start together.
        connection.execute(text("SELECT pg_advisory_lock(hashtext('kivuko:migrations'))"))
        # A waiting change of a table makes every later query of it wait behind it, and M-Pesa gives a validation eight
        # seconds: so it gives up soon, and `store/migrate.py` tries again.
        connection.execute(text("SET lock_timeout = '2s'"))
        connection.commit()
        context.configure(
            connection=connection, target_metadata=metadata, compare_type=True, transaction_per_migration=True
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
