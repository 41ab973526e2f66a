"""Two people of the demo house, with a key each: what needs two people can be tried on one machine.

Their keys are made by the installation's first key, which stands behind nobody, so they are two people's. They lie beside
`admin.key`; use one with `kivuko --key`.
"""

from pathlib import Path
from typing import Final

from cli.context import key_file, write_secret
from cli.errors import Failure
from cli.http import ApiClient
from core.ids import new_id
from core.settings import Settings

PEOPLE: Final = ("amina", "brian")


def ensure_people(settings: Settings, url: str, api: ApiClient) -> dict[str, str]:
    """Their keys by name; each is made if its file is missing or of another installation."""
    known = {one["name"]: one["id"] for one in api.pages("/people")}
    return {name: _key_of(person_file(settings, name), url, api, name, known.get(name)) for name in PEOPLE}


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
