"""Lenders and their connections. What needs a worker and a Fineract is asked at the door of the whole house."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlmodel import select

from api.partners.connection_jobs import sealed_connection
from api.partners.connections_schemas import FineractIn
from core.crypto import CredentialBox
from core.errors import InvalidRequest
from core.ids import new_id
from models.tables.platform.connection import Connection
from models.tables.platform.partner import Partner
from store.platform import partners
from temporal.schedules import watch_id
from tests.api.conftest import Door
from tests.support.house import House
from tests.support.waiting import eventually

CONTACT = {"name": "Grace Njeri", "phone": "+254711000222", "email": "grace@example.com", "role": "authorised"}


@pytest.fixture
async def new_app(house: House) -> dict[str, Any]:
    """A second lender's M-Pesa app at the simulator, as the API wants it."""
    app = {
        "consumer_key": new_id("ck"), "consumer_secret": "cs-secret", "shortcode": "600998",
        "initiator_name": "kivukoapi", "initiator_password": "Init#2026",
    }  # fmt: skip
    opened = await house.http.post("/daraja/simulator/apps", json={**app, "utility_balance": "1000.00"})
    assert opened.status_code == 200
    certificate = (await house.http.get("/daraja/simulator/certificate")).text
    return {**app, "base_url": f"{house.simulators.url}/daraja", "certificate_pem": certificate}


@pytest.fixture
async def fineract(house: House) -> dict[str, Any]:
    base = f"{house.simulators.url}/fineract/fineract-provider/api"
    return {"base_url": base, "username": "mifos", "password": "password"}


async def test_a_partner_is_made_with_checked_connections_sealed_secrets_and_a_poll(
    house: House, house_admin: httpx.AsyncClient, fineract: dict[str, Any], new_app: dict[str, Any]
) -> None:
    assert (await house.http.post("/fineract/simulator/tenants", json={"tenant": "newsacco"})).status_code == 201
    own = {**fineract, "tenant": "newsacco"}
    body = {"name": "New Sacco", "fineract": own, "daraja": new_app, "contacts": [CONTACT]}
    made = await house_admin.post("/api/v1/partners", json=body, headers={"Idempotency-Key": "p1"})
    assert made.status_code == 201, made.text
    partner = made.json()
    assert made.headers["location"] == f"/api/v1/partners/{partner['id']}"
    assert {c["provider"]: c["status"] for c in partner["connections"]} == {"fineract": "ok", "daraja": "ok"}
    assert partner["contacts"][0]["phone"] == "+2547•••••222"
    described = await house.client.get_schedule_handle(watch_id("fineract", partner["id"])).describe()
    assert described.schedule.action is not None
    shown = await house_admin.get(f"/api/v1/partners/{partner['id']}")
    # No secret is in an answer, in the audit or in the stored answer; it is in the sealed column alone.
    async with house.database.transaction() as session:
        connection = await session.connection()
        rows = [
            row
            for table in ("partners", "connections", "audit_log", "idempotency_keys", "provider_exchanges")
            for row in (await connection.execute(text(f"SELECT t::text FROM {table} t"))).scalars()
        ]
        sealed = (await partners.connection(session, partner["id"], "daraja")).sealed
    for secret in ("cs-secret", "Init#2026", new_app["consumer_key"]):
        assert secret not in made.text + shown.text + "".join(rows)
    box = CredentialBox([key.get_secret_value() for key in house.settings.security.credential_keys])
    assert json.loads(box.open(sealed))["consumer_secret"] == "cs-secret"
    again = await house_admin.post("/api/v1/partners", json=body, headers={"Idempotency-Key": "p1"})
    assert (again.status_code, again.json()) == (201, partner)


@pytest.mark.parametrize(
    ("provider", "change", "field"),
    [
        ("fineract", {"password": "wrong"}, "fineract.password"),
        ("fineract", {"base_url": "http://127.0.0.1:9/fineract-provider/api"}, "fineract.base_url"),
        ("daraja", {"consumer_secret": "wrong"}, "daraja.consumer_secret"),
    ],
)
async def test_a_connection_that_does_not_work_is_named_and_nothing_is_stored(
    house: House,
    house_admin: httpx.AsyncClient,
    fineract: dict[str, Any],
    new_app: dict[str, Any],
    provider: str,
    change: dict[str, str],
    field: str,
) -> None:
    given = {"fineract": fineract, "daraja": new_app}
    given[provider] |= change
    answer = await house_admin.post("/api/v1/partners", json={"name": "New Sacco", **given})
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    async with house.database.transaction() as session:
        assert [partner.id for partner in await session.exec(select(Partner))] == [house.partner_id]


async def test_rotated_credentials_are_checked_first_and_lift_a_block(
    house: House, house_admin: httpx.AsyncClient, fineract: dict[str, Any]
) -> None:
    path = f"/api/v1/partners/{house.partner_id}/connections/fineract"
    async with house.database.transaction() as session:
        await partners.set_connection_status(session, house.partner_id, "fineract", "blocked", "the password expired")
    refused = await house_admin.put(path, json={**fineract, "password": "wrong"})
    assert refused.status_code == 422
    still = await connection_of(house, house_admin)
    assert (still["status"], still["version"]) == ("blocked", 1)
    checked = await house_admin.post(f"{path}/check")
    assert checked.json()["status"] == "blocked", "a harmless call does not prove that payouts would be taken"
    rotated = await house_admin.put(path, json=fineract)
    assert (rotated.status_code, rotated.json()["status"], rotated.json()["version"]) == (200, "ok", 2)
    async with house.database.transaction() as session:
        acts = (await (await session.connection()).execute(text("SELECT action, after::text FROM audit_log"))).all()
    assert [act for act, _ in acts if act.startswith("connections")] == ["connections.check", "connections.put"]
    assert not [after for _, after in acts if after and "password" in after.replace("the password expired", "")]


async def test_a_check_tells_that_a_connection_fails_and_that_it_works_again(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    path = f"/api/v1/partners/{house.partner_id}/connections/fineract"
    good = await connection_of(house, house_admin)
    await set_address(house, "http://127.0.0.1:9/fineract-provider/api")
    failing = (await house_admin.post(f"{path}/check")).json()
    assert failing["status"] == "failing"
    assert failing["check_detail"]
    await set_address(house, good["settings"]["base_url"])
    assert (await house_admin.post(f"{path}/check")).json()["status"] == "ok"


async def connection_of(house: House, admin: httpx.AsyncClient) -> dict[str, Any]:
    found = (await admin.get(f"/api/v1/partners/{house.partner_id}")).json()["connections"]
    return next(dict(one) for one in found if one["provider"] == "fineract")


async def set_address(house: House, base_url: str) -> None:
    async with house.database.transaction() as session:
        row = await partners.connection(session, house.partner_id, "fineract")
        row.settings = {**row.settings, "base_url": base_url}
        session.add(row)


async def test_products_are_fetched_from_fineract(house: House, house_admin: httpx.AsyncClient) -> None:
    path = f"/api/v1/partners/{house.partner_id}/loan-products"
    fetched = await asyncio.gather(*(house_admin.post(f"{path}/fetch") for _ in range(3)))
    assert {answer.status_code for answer in fetched} == {200}
    assert fetched[0].json()["found"] >= 1
    products = (await house_admin.get(path)).json()["items"]
    assert len(products) == fetched[0].json()["found"]
    assert {p["product_id"]: p["enabled"] for p in products}[1] is True, "known ones keep their settings"


async def test_a_fineract_that_is_away_is_a_503_and_not_a_fault_of_the_caller(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    await set_address(house, "http://127.0.0.1:9/fineract-provider/api")
    async with house.database.transaction() as session:
        row = await partners.connection(session, house.partner_id, "fineract")
        row.version += 1
        session.add(row)
    answer = await house_admin.post(f"/api/v1/partners/{house.partner_id}/loan-products/fetch")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_reached"), answer.text


async def test_balances_are_asked_for_and_come_by_callback(house: House, house_admin: httpx.AsyncClient) -> None:
    path = f"/api/v1/partners/{house.partner_id}/provider-balances"
    asked = await house_admin.post(f"{path}/refresh")
    assert asked.status_code == 202, asked.text

    async def told() -> list[Any]:
        return list((await house_admin.get(path)).json()["items"])

    accounts = {row["account"]: row["balance"]["amount"] for row in await eventually(told)}
    assert accounts["Utility Account"] == "90000000.00"


# ------------------------------------------------------------------------------------------------- without workers


async def test_a_partner_is_changed_field_by_field_and_the_change_is_recorded(door: Door) -> None:
    partner_id = await door.lender()
    body = {"language": "sw", "low_balance": {"amount": "500.00", "currency": "KES"}, "timezone": None}
    answer = await door.admin.patch(f"/api/v1/partners/{partner_id}", json=body)
    assert (answer.json()["language"], answer.json()["low_balance"]["amount"]) == ("sw", "500.00")
    assert answer.json()["timezone"] == "Africa/Nairobi"
    (act,) = await door.audit("partners.change")
    assert (act.before["language"], act.after["language"]) == ("en", "sw")
    assert "hook_secret" not in act.after


async def test_two_partners_cannot_share_a_name(door: Door) -> None:
    await door.lender("One")
    two = await door.lender("Two")
    renamed = await door.admin.patch(f"/api/v1/partners/{two}", json={"name": "One"})
    made = await door.admin.post("/api/v1/partners", json={"name": "One"})
    for answer in (renamed, made):
        assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")
    assert await door.audit("partners.change") == []


async def test_a_partner_without_connections_can_be_made_and_gets_them_later(door: Door) -> None:
    made = await door.admin.post("/api/v1/partners", json={"name": "Bare"})
    assert (made.status_code, made.json()["connections"]) == (201, [])
    assert len(await door.audit("partners.create")) == 1


async def test_name_and_status_are_the_houses_business(door: Door) -> None:
    partner_id = await door.lender()
    visitor = await door.key("partners:read", "partners:write", partner_id=partner_id)
    for body in ({"status": "active"}, {"name": "Mine"}):
        answer = await visitor.patch(f"/api/v1/partners/{partner_id}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "admin_only")
    assert (await visitor.patch(f"/api/v1/partners/{partner_id}", json={"language": "sw"})).status_code == 200


async def test_contacts_come_once_and_go(door: Door) -> None:
    await door.key("partners:write")  # of somebody who could agree
    partner_id = await door.lender()
    path = f"/api/v1/partners/{partner_id}/contacts"
    spellings = (CONTACT, {**CONTACT, "phone": "0711-000-222"})
    first, second = [await door.admin.post(path, json=contact) for contact in spellings]
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.json()["phone"] == "+2547•••••222"
    wrong = await door.admin.post(path, json={**CONTACT, "phone": "0711000222 ext 7"})
    assert (wrong.status_code, wrong.json()["errors"][0]["rule"]) == (422, "invalid_msisdn")
    assert [act.after["phone"] for act in await door.audit("contacts.add")] == ["+2547•••••222"]
    assert (await door.admin.delete(f"{path}/{first.json()['id']}")).status_code == 200
    assert (await door.admin.delete(f"{path}/{first.json()['id']}")).status_code == 404
    assert (await door.admin.get(f"/api/v1/partners/{partner_id}")).json()["contacts"] == []


async def test_a_contact_without_a_language_reads_the_partners(door: Door) -> None:
    await door.key("partners:write")  # of somebody who could agree
    wanted = {
        "name": "Jaza Sacco",
        "language": "sw",
        "contacts": [CONTACT, {**CONTACT, "name": "Otieno", "language": "en"}],
    }
    made = (await door.admin.post("/api/v1/partners", json=wanted)).json()
    assert [person["language"] for person in made["contacts"]] == ["sw", "en"]
    added = await door.admin.post(f"/api/v1/partners/{made['id']}/contacts", json={**CONTACT, "name": "Amina"})
    assert added.json()["language"] == "sw"


async def test_production_talks_only_over_checked_https(door: Door) -> None:
    services = replace(door.services, settings=door.settings.model_copy(update={"environment": "production"}))
    base = {"username": "u", "password": "p"}
    for given, field in (
        ({"base_url": "http://bank.example"}, "fineract.base_url"),
        ({"base_url": "https://bank.example", "trust": {"verify_tls": False}}, "fineract.trust.verify_tls"),
    ):
        with pytest.raises(InvalidRequest) as refusal:
            sealed_connection(services, "prt_x", FineractIn.model_validate({**base, **given}))
        assert refusal.value.extra["field"] == field


async def test_partners_page_by_cursor_newest_first(door: Door) -> None:
    made = [await door.lender(f"Lender {number}") for number in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await door.admin.get("/api/v1/partners", params=params)).json()
        seen += [row["id"] for row in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(made)
    assert seen == sorted(seen, reverse=True)


async def test_no_answer_ever_shows_a_secret(door: Door) -> None:
    partner_id = await door.lender()
    (row,) = [row for row in await door.rows(Connection) if row.provider == "daraja"]
    for path in ("/partners", f"/partners/{partner_id}"):
        shown = (await door.admin.get(f"/api/v1{path}")).text
        assert row.sealed not in shown
        assert "hook_secret" not in shown
