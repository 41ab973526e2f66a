"""People are given an address and scopes, invited, changed and shut out; every act names the person behind it."""

from typing import Any

import pytest

from api.partners.keys_schemas import HOUSE_ONLY
from models.tables.platform.security import IdempotencyKey
from models.tables.platform.signing_in import SignInLink
from tests.api.conftest import Door

PEOPLE = "/api/v1/people"
GRACE = {"name": "Grace Njeri", "email": "Grace@Example.com", "scopes": ["disbursements:read"]}


async def added(door: Door, **more: Any) -> dict[str, Any]:
    answer = await door.admin.post(PEOPLE, json=GRACE | more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_an_address_is_one_persons_however_it_is_spelled(door: Door) -> None:
    grace = await added(door)
    assert (grace["email"], grace["may_sign_in"], grace["scopes"]) == (
        "grace@example.com",
        False,
        ["disbursements:read"],
    )
    again = await door.admin.post(PEOPLE, json=GRACE | {"email": "GRACE@example.COM"})
    assert (again.status_code, again.json()["code"]) == (409, "email_taken")
    other = await added(door, email="other@example.com")
    taken = await door.admin.patch(f"{PEOPLE}/{other['id']}", json={"email": "grace@EXAMPLE.com"})
    assert (taken.status_code, taken.json()["code"]) == (409, "email_taken")
    same = await door.admin.patch(f"{PEOPLE}/{grace['id']}", json={"email": "Grace@example.com"})
    assert same.status_code == 200


@pytest.mark.parametrize("scope", sorted(HOUSE_ONLY))
async def test_a_partners_person_never_gets_what_is_the_houses(door: Door, scope: str) -> None:
    partner_id = await door.lender()
    refused = await door.admin.post(PEOPLE, json=GRACE | {"partner_id": partner_id, "scopes": [scope]})
    assert (refused.status_code, refused.json()["code"]) == (422, "house_only_scope")
    there = await added(door, partner_id=partner_id)
    later = await door.admin.patch(f"{PEOPLE}/{there['id']}", json={"scopes": [scope]})
    assert (later.status_code, later.json()["code"]) == (422, "house_only_scope")


@pytest.mark.parametrize(
    "body",
    [
        {"email": "no address"}, {"email": "a\x00@example.com"}, {"email": "a@example.com" + "x" * 300},
        {"scopes": ["everything"]}, {"scopes": ["disbursements:read"] * 2}, {"language": "fr"}, {"name": ""},
        {"role": "boss"},
    ],
)  # fmt: skip
async def test_what_is_no_person_is_refused_and_named(door: Door, body: dict[str, Any]) -> None:
    (field,) = body
    for answer in (
        await door.admin.post(PEOPLE, json=GRACE | body),
        await door.admin.patch(f"{PEOPLE}/{(await added(door))['id']}", json=body),
    ):
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"].startswith(field)


async def test_only_admins_invite_and_a_new_invitation_ends_the_old_one(door: Door) -> None:
    grace = await added(door)
    path = f"{PEOPLE}/{grace['id']}/invite"
    reader = await door.key("partners:read", "partners:write", "disbursements:resolve")
    assert (await reader.post(path)).status_code == 403
    first = (await door.admin.post(path)).json()
    second = await door.admin.post(path, headers={"Idempotency-Key": "again"})
    assert second.json()["link"].startswith("http://127.0.0.1:8000/console/in/")
    assert second.json()["link"] != first["link"]
    repeated = await door.admin.post(path, headers={"Idempotency-Key": "again"})
    assert repeated.json() == second.json()
    (link,) = await door.rows(SignInLink)
    token = second.json()["link"].rpartition("/")[2]
    assert token not in link.digest
    assert all(token not in str(row.answer) for row in await door.rows(IdempotencyKey))
    assert all(token not in str((one.before, one.after)) for one in await door.audit("people.invite"))


@pytest.mark.parametrize(
    ("person", "code"), [({"email": None}, "no_email"), ({"scopes": []}, "no_scopes"), ({}, "person_disabled")]
)
async def test_nobody_is_invited_who_could_not_come_in(door: Door, person: dict[str, Any], code: str) -> None:
    grace = await added(door, **person)
    if code == "person_disabled":
        assert (await door.admin.post(f"{PEOPLE}/{grace['id']}/disable")).json()["disabled_at"] is not None
    refused = await door.admin.post(f"{PEOPLE}/{grace['id']}/invite")
    assert (refused.status_code, refused.json()["code"]) == (409, code)


@pytest.mark.parametrize("how", ["disable", "address"])
async def test_whoever_is_shut_out_or_has_another_address_loses_the_invitation(door: Door, how: str) -> None:
    grace = await added(door)
    await door.admin.post(f"{PEOPLE}/{grace['id']}/invite")
    if how == "disable":
        await door.admin.post(f"{PEOPLE}/{grace['id']}/disable")
    else:
        await door.admin.patch(f"{PEOPLE}/{grace['id']}", json={"email": "new@example.com"})
    assert await door.rows(SignInLink) == []


async def test_an_invitation_remembers_who_made_it_but_for_the_installations_key(door: Door) -> None:
    grace = await added(door)
    await door.admin.post(f"{PEOPLE}/{grace['id']}/invite")
    (link,) = await door.rows(SignInLink)
    assert link.makers == []
    ann = await door.key("admin")
    await ann.post(f"{PEOPLE}/{grace['id']}/invite")
    (link,) = await door.rows(SignInLink)
    (made,) = (await door.audit("people.invite"))[1:]
    assert link.makers == [made.person_id]


async def test_an_act_names_the_person_behind_its_key(door: Door) -> None:
    grace = await added(door)
    key = await door.admin.post("/api/v1/keys", json={"name": "grace", "scopes": ["admin"], "person": grace["id"]})
    await door.visitor(key.json()["key"]).post(f"{PEOPLE}/{grace['id']}/disable")
    (act,) = await door.audit("people.disable")
    assert (act.actor, act.person_id) == (key.json()["id"], grace["id"])
    (made,) = await door.audit("people.create")
    assert made.person_id is not None
    (bootstrap,) = [one for one in await door.audit("keys.create") if one.actor == "bootstrap"]
    assert bootstrap.person_id is None
    let_in = await door.admin.post(f"{PEOPLE}/{grace['id']}/enable")
    assert let_in.json()["disabled_at"] is None
    assert (await door.admin.get(f"{PEOPLE}/{grace['id']}")).json() == let_in.json()


async def test_a_person_who_is_not_there_is_not_found(door: Door) -> None:
    nobody = f"{PEOPLE}/psn_{'0' * 26}"
    for answer in (
        await door.admin.get(nobody), await door.admin.patch(nobody, json={}), await door.admin.post(f"{nobody}/invite"),
        await door.admin.post(f"{nobody}/disable"), await door.admin.post(f"{nobody}/enable"),
    ):  # fmt: skip
        assert answer.status_code == 404
