"""Addresses that were kept in clear are sealed by the migration and go on working, and come back on the way down."""

import psycopg
from alembic import command

from cli.local.postgres import EmbeddedPostgres
from core.crypto import CredentialBox
from core.settings import get_settings
from store.migrate import alembic_config, migrate
from store.platform.secret_addresses import digest
from tests.support.databases import database_from

PLAIN = "4f1c" * 16


def test_addresses_in_clear_are_sealed_and_found_again(
    postgres_server: EmbeddedPostgres, template_database: str
) -> None:
    with database_from(postgres_server, template_database) as url:
        command.downgrade(alembic_config(url), "0011")
        with psycopg.connect(url) as connection:
            connection.execute(
                "INSERT INTO partners (id, name, currency, country, timezone, language, status, hook_secret,"
                " low_balance_minor, created_at, updated_at)"
                " VALUES ('prt_1', 'Jaza', 'KES', 'KE', 'Africa/Nairobi', 'en', 'active', %s, 0, now(), now())",
                (PLAIN,),
            )
            connection.execute(
                "INSERT INTO connections (id, partner_id, provider, settings, sealed, version, status, created_at,"
                " updated_at) VALUES ('con_1', 'prt_1', 'fineract', '{}', '', 1, 'ok', now(), now())"
            )
        migrate(url)
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT address_secret, address_digest FROM connections").fetchone()
        assert row is not None
        box = CredentialBox([key.get_secret_value() for key in get_settings().security.credential_keys])
        assert (box.open(row[0]), row[1]) == (PLAIN, digest(PLAIN))
        command.downgrade(alembic_config(url), "0011")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT hook_secret FROM partners").fetchone() == (PLAIN,)
