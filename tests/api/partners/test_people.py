"""Every key names a person, and remembers who stands behind the keys that made it."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from models.tables.platform.security import ApiKey
from store.platform import people
from tests.api.conftest import Door


async def made(visitor: Any, **body: Any) -> dict[str, Any]:
    answer = await visitor.post("/api/v1/keys", json={"scopes": ["admin"], **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_the_installations_key_is_nobody_elses_maker(door: Door) -> None:
    (bootstrap,) = await door.rows(ApiKey)
    assert (bootstrap.person_id, bootstrap.makers) == (people.INSTALLATION, [])
    ann = await made(door.admin, name="ann", new_person="Ann")
    assert ann["makers"] == []
    second = await made(door.visitor(ann["key"]), name="ann too")
    assert (second["person_id"], second["makers"]) == (ann["person_id"], [ann["person_id"]])
    third = await made(door.visitor(second["key"]), name="bob", new_person="Bob")
    assert third["person_id"] != ann["person_id"]
    assert third["makers"] == [ann["person_id"]]
    fourth = await made(door.visitor(third["key"]), name="cid", new_person="Cid")
    assert fourth["makers"] == sorted([ann["person_id"], third["person_id"]])


async def test_a_key_that_only_looks_like_the_installations_is_a_maker(door: Door) -> None:
    """Made without a person by the first key, it is the installation's; what it makes remembers that."""
    second = await made(door.admin, name="second admin")
    third = await made(door.visitor(second["key"]), name="bob", new_person="Bob")
    assert (second["person_id"], third["makers"]) == (people.INSTALLATION, [people.INSTALLATION])


async def test_people_are_added_listed_and_named_by_admins_alone(door: Door) -> None:
    added = await door.admin.post("/api/v1/people", json={"name": "Ann"})
    assert added.status_code == 201
    named = await made(door.admin, name="ann", person=added.json()["id"])
    assert named["person_id"] == added.json()["id"]
    listed = (await door.admin.get("/api/v1/people")).json()["items"]
    assert {one["name"] for one in listed} == {"Ann", "installation"}
    reader = await door.key("partners:read", "partners:write")
    assert (await reader.get("/api/v1/people")).status_code == 403
    assert (await reader.post("/api/v1/people", json={"name": "x"})).status_code == 403
    assert len(await door.audit("people.create")) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"person": "psn_" + "0" * 26}, "person"),
        ({"person": "psn_" + "0" * 26, "new_person": "Ann"}, None),
        ({"new_person": ""}, "new_person"),
        ({"person": "key_" + "0" * 26}, "person"),
    ],
)
async def test_a_person_who_is_not_there_has_no_key(door: Door, body: dict[str, Any], field: str | None) -> None:
    answer = await door.admin.post("/api/v1/keys", json={"name": "x", "scopes": ["admin"], **body})
    assert answer.status_code == 422
    if field is not None:
        assert answer.json()["errors"][0]["field"] == field


async def test_a_partners_person_has_keys_of_that_partner_alone(door: Door) -> None:
    mine, other = await door.lender("Mine"), await door.lender("Other")
    ann = (await door.admin.post("/api/v1/people", json={"name": "Ann", "partner_id": mine})).json()["id"]
    for partner_id in (other, None):
        body = {"name": "x", "scopes": ["partners:read"], "partner_id": partner_id, "person": ann}
        answer = await door.admin.post("/api/v1/keys", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "person_of_another")


@pytest.mark.parametrize("statement", ["UPDATE decisions SET people = '[]'", "DELETE FROM decisions"])
async def test_a_decision_is_never_changed(door: Door, statement: str) -> None:
    (key,) = await door.rows(ApiKey)
    async with door.database.transaction() as session:
        await (await session.connection()).execute(
            text(
                "INSERT INTO decisions (id, workflow_id, about, decision, facts, evidence, person_id, via, people, "
                "created_at) VALUES ('dec_1', 'w', 'a', 'paid', '{}', 'seen', :person, :key, '[]', now())"
            ),
            {"person": key.person_id, "key": key.id},
        )
    with pytest.raises(DBAPIError):
        async with door.database.transaction() as session:
            await (await session.connection()).execute(text(statement))
