"""The demo's people get a link each to sign in, once, on a developer's machine and nowhere else."""

from typing import Any

from cli.demo.seed_people import sign_in_addresses
from core.clock import utc_now
from core.ids import PERSON, new_id
from core.settings import Settings
from models.tables.platform.security import Person
from store.database import Database
from store.platform import people, sign_in_links


async def amina(database: Database, **more: Any) -> str:
    row = Person(
        id=new_id(PERSON), name="amina", email="amina@demo.example", scopes=["admin"], created_at=utc_now(),
        created_by="test", **more,
    )  # fmt: skip
    async with database.transaction() as session:
        await people.add(session, row)
    return row.id


async def test_each_start_makes_a_new_link_and_ends_the_old_one(database: Database) -> None:
    person_id = await amina(database)
    local = Settings(_env_file=None, environment="local")
    first, second = await sign_in_addresses(local, database), await sign_in_addresses(local, database)
    assert first.keys() == second.keys() == {"amina"}  # brian was made by nobody
    async with database.transaction() as session:
        old, new = [
            await sign_in_links.find(session, one["amina"].rpartition("/")[2], utc_now()) for one in (first, second)
        ]
    assert old is None
    assert new is not None
    assert (new[0].purpose, new[1].id) == ("local", person_id)


async def test_elsewhere_and_for_somebody_shut_out_there_is_none(database: Database) -> None:
    await amina(database, disabled_at=utc_now())
    assert await sign_in_addresses(Settings(_env_file=None, environment="local"), database) == {}
    assert await sign_in_addresses(Settings(_env_file=None, environment="test"), database) == {}
