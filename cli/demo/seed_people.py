"""Two people of the demo house: what needs two people can be tried on one machine.

Their keys are made by the installation's first key, which stands behind nobody, so they are two people's. They lie beside
`admin.key`; use one with `kivuko --key`. On a developer's machine each of them also gets a link that signs them in to the
console, once; every start prints new ones.
"""

from datetime import timedelta
from pathlib import Path
from typing import Final

from cli.context import key_file, write_secret
from cli.errors import Failure
from cli.http import ApiClient
from core.clock import utc_now
from core.ids import new_id
from core.settings import Settings
from store.database import Database
from store.platform import people, sign_in_links

PEOPLE: Final = ("amina", "brian")
# `admin` stands for all that the house may do.
_SCOPES: Final = ("admin",)
_LINKS_LIVE: Final = timedelta(hours=12)


def ensure_people(settings: Settings, url: str, api: ApiClient) -> dict[str, str]:
    """Their keys by name; each is made if its file is missing or of another installation."""
    known = {one["name"]: one["id"] for one in api.pages("/people")}
    keys = {name: _key_of(person_file(settings, name), url, api, name, known.get(name)) for name in PEOPLE}
    for person in [one for one in api.pages("/people") if one["name"] in PEOPLE and one["email"] is None]:
        api.patch(f"/people/{person['id']}", {"email": _email(person["name"]), "scopes": list(_SCOPES)})
    return keys


async def sign_in_addresses(settings: Settings, database: Database) -> dict[str, str]:
    """A fresh link for each of them, by name; none outside a developer's machine, where it would be refused."""
    if settings.environment != "local":
        return {}
    found, now = {}, utc_now()
    for name in PEOPLE:
        async with database.transaction() as session:
            person = await people.of_email(session, _email(name))
            if person is None or person.disabled_at is not None:
                continue  # somebody has made them another person since
            token = await sign_in_links.make(
                session, person.id, "local", makers=[], by="kivuko up", now=now, until=now + _LINKS_LIVE
            )
        found[name] = f"http://{settings.api.host}:{settings.api.port}/console/in/{token}"
    return found


def _email(name: str) -> str:
    return f"{name}@demo.example"


def person_file(settings: Settings, name: str) -> Path:
    return key_file(settings).with_name(f"{name}.key")


def _key_of(file: Path, url: str, api: ApiClient, name: str, person_id: str | None) -> str:
    if file.is_file() and (key := file.read_text(encoding="utf-8").strip()) and _lives(url, key):
        return key
    whose = {"person": person_id} if person_id else {"new_person": name}
    made = api.post("/keys", {"name": f"{name} {new_id('run')[-6:]}", "scopes": ["admin"], **whose})
    write_secret(file, made["key"])
    return str(made["key"])


def _lives(url: str, key: str) -> bool:
    with ApiClient(url, key) as theirs:
        try:
            theirs.get("/people")
        except Failure:
            return False
    return True
