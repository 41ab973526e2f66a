"""Migrations of tables that are in use: they give way within M-Pesa's patience, and get through in the end."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from cli.local.postgres import EmbeddedPostgres
from store import migrate as migrating
from store.migrate import migrate
from tests.support.databases import database_from

MPESA_WAITS_SECONDS = 8.0


@pytest.fixture
def before_the_last(postgres_server: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    """A database that lacks the newest migration that changes `partners`."""
    from alembic import command

    with database_from(postgres_server, template_database) as url:
        command.downgrade(migrating.alembic_config(url), "0011")
        yield url


@contextmanager
def used(url: str, table: str) -> Iterator[psycopg.Connection]:
    """A transaction that has read the table and stays open."""
    with psycopg.connect(url) as reader:
        reader.execute(f"SELECT count(*) FROM {table}")
        yield reader


def test_a_table_in_use_is_not_waited_for_longer_than_mpesa_waits(
    before_the_last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with used(before_the_last, "partners"):
        started = time.monotonic()
        with pytest.raises(OperationalError):
            migrate(before_the_last, tries=1)
        assert time.monotonic() - started < MPESA_WAITS_SECONDS / 2


def test_it_is_tried_again_until_the_table_is_free(before_the_last: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "_PAUSE", (0.1, 0.2))
    with used(before_the_last, "partners") as reader:
        done = threading.Thread(target=migrate, args=(before_the_last,))
        done.start()
        done.join(2.5)
        assert done.is_alive()
        reader.rollback()
        done.join(10)
    assert not done.is_alive()
    with psycopg.connect(before_the_last) as connection:
        assert connection.execute("SELECT count(address_digest) FROM connections").fetchone() == (0,)


def test_a_message_that_was_stored_before_its_reader_was_renamed_is_still_read(
    postgres_server: EmbeddedPostgres, template_database: str
) -> None:
    from alembic import command

    from inbound.reading import reader_of

    with database_from(postgres_server, template_database) as url:
        command.downgrade(migrating.alembic_config(url), "0012")
        with psycopg.connect(url) as connection:
            connection.execute(
                "INSERT INTO webhook_inbox (id, provider, kind, external_id, reference, body, report, received_at, copies,"
                " attempts, next_attempt_at, outcome, endpoint) VALUES ('inb_1', 'daraja', 'unread', 'raw:inb_1', '-', '{}',"
                " '{}', now(), 1, 0, now(), 'waiting', 'mpesa.confirmation')"
            )
        migrate(url)
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT endpoint FROM webhook_inbox").fetchone()
    assert row is not None
    assert reader_of(row[0]) is reader_of("daraja.confirmation")
