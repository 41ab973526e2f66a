"""A partner's bank and its short code's announcements: given, checked, addressed, registered."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api.partners.bank_schemas import BankIn
from api.partners.connection_jobs import sealed_connection
from core.crypto import CredentialBox
from core.errors import InvalidRequest
from core.ids import new_id
from store.platform import partners
from temporal.schedules import watch_id
from tests.api.conftest import Door
from tests.support.house import House
from tests.support.lender import BANK_SECRETS, WALLET_ACCOUNT

ACCOUNTS: dict[str, Any] = {
    "wallet_account": WALLET_ACCOUNT, "wallet_name": "KIVUKO WALLET", "b2c_account": "1000200047",
    "b2c_name": "KIVUKO B2C", "float_account": "600997", "float_name": "NEW SACCO", "push_secrets": ["push-secret-2"],
}  # fmt: skip


def reference(house: House) -> dict[str, Any]:
    return {
        **ACCOUNTS, "dialect": "reference", "base_url": f"{house.simulators.url}/bank/reference",
        "token": BANK_SECRETS.token,
    }  # fmt: skip


def ncba(house: House) -> dict[str, Any]:
    base = f"{house.simulators.url}/bank/ncba"
    till = {
        "base_url": base, "paybill": "880100", "account": "KVKTILL1", "username": BANK_SECRETS.till_username,
        "password": BANK_SECRETS.till_password,
    }  # fmt: skip
    return {
        **ACCOUNTS, "dialect": "ncba", "base_url": base, "username": BANK_SECRETS.username,
        "password": BANK_SECRETS.password, "subscription_key": BANK_SECRETS.subscription_key, "push_user": "kvkuser",
        "push_password": "kvk-push-password", "till": till,
    }  # fmt: skip


async def secrets_of(house: House, partner_id: str, provider: str) -> dict[str, Any]:
    box = CredentialBox([key.get_secret_value() for key in house.settings.security.credential_keys])
    async with house.database.transaction() as session:
        return dict(json.loads(box.open((await partners.connection(session, partner_id, provider)).sealed)))


async def test_a_partner_is_made_with_a_bank_whose_secrets_stay_shut(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    made = await house_admin.post("/api/v1/partners", json={"name": "New Sacco", "bank": ncba(house)})
    assert made.status_code == 201, made.text
    partner_id = made.json()["id"]
    (shown,) = made.json()["connections"]
    assert (shown["provider"], shown["status"]) == ("bank", "ok")
    assert shown["settings"]["till_paybill"] == "880100"
    kept = await secrets_of(house, partner_id, "bank")
    assert (kept["push_secrets"], kept["till_password"]) == (["push-secret-2"], BANK_SECRETS.till_password)
    async with house.database.transaction() as session:
        connection = await session.connection()
        rows = [
            row
            for table in ("connections", "audit_log", "provider_exchanges")
            for row in (await connection.execute(text(f"SELECT t::text FROM {table} t"))).scalars()
        ]
    for secret in ("push-secret-2", "kvk-push-password", str(BANK_SECRETS.password)):
        assert secret not in made.text + "".join(rows)
    described = await house.client.get_schedule_handle(watch_id("bank", partner_id)).describe()
    assert described.schedule.action is not None
    # Bank, and a till that could prompt: the whole way is open.
    address = await house_admin.get(f"/api/v1/partners/{partner_id}/connections/bank/address")
    assert address.json()["items"][0]["purpose"] == "push"


@pytest.mark.parametrize(
    ("dialect", "change", "field"),
    [
        ("ncba", {"password": "wrong"}, "bank.password"),
        ("reference", {"token": "wrong"}, "bank.token"),
        ("reference", {"base_url": "http://127.0.0.1:9"}, "bank.base_url"),
        ("reference", {"currency": "UGX"}, "bank.currency"),
    ],
)
async def test_a_bank_that_does_not_work_is_named_and_the_old_settings_stay(
    house: House, house_admin: httpx.AsyncClient, dialect: str, change: dict[str, str], field: str
) -> None:
    path = f"/api/v1/partners/{house.partner_id}/connections/bank"
    before = await secrets_of(house, house.partner_id, "bank")
    given = {"ncba": ncba, "reference": reference}[dialect](house)
    answer = await house_admin.put(path, json=given | change)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await secrets_of(house, house.partner_id, "bank") == before


async def test_rotated_settings_keep_the_address_that_the_bank_has(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    path = f"/api/v1/partners/{house.partner_id}/connections/bank"
    address = (await house_admin.get(f"{path}/address")).json()
    rotated = await house_admin.put(path, json=reference(house))
    assert (rotated.status_code, rotated.json()["version"]) == (200, 2), rotated.text
    assert (await house_admin.get(f"{path}/address")).json() == address
    (push,) = address["items"]
    # It is still a living address: what the bank did not sign is refused there, and not unknown.
    told = await house.http.post(push["url"], content=b"{}", headers={"content-type": "application/json"})
    assert told.status_code == 403


async def test_each_new_connection_gets_an_address_of_its_own(house: House, house_admin: httpx.AsyncClient) -> None:
    seen: set[str] = set()
    for number, name in enumerate(("One", "Two")):
        own = {"wallet_account": f"20003000{number}0", "b2c_account": f"20003000{number}1"}
        made = await house_admin.post("/api/v1/partners", json={"name": name, "bank": reference(house) | own})
        assert made.status_code == 201, made.text
        path = f"/api/v1/partners/{made.json()['id']}/connections/bank/address"
        (push,) = (await house_admin.get(path)).json()["items"]
        secret = push["url"].removeprefix(f"{house.api_url}/cb/bank/").removesuffix("/")
        assert len(bytes.fromhex(secret)) == 32
        assert secret not in made.text
        seen.add(secret)
    assert len(seen) == 2
    async with house.database.transaction() as session:
        audit = (await (await session.connection()).execute(text("SELECT t::text FROM audit_log t"))).scalars().all()
    assert not [row for row in audit for secret in seen if secret in row]


async def test_production_wants_https_for_the_till_as_well(door: Door) -> None:
    services = replace(door.services, settings=door.settings.model_copy(update={"environment": "production"}))
    till = {"base_url": "http://till.example", "paybill": "880100", "account": "T", "username": "u", "password": "p"}
    given = BankIn.model_validate(
        {
            **ACCOUNTS, "dialect": "ncba", "base_url": "https://bank.example", "username": "u", "password": "p",
            "subscription_key": "s", "push_user": "u", "push_password": "p", "till": till,
        }
    )  # fmt: skip
    with pytest.raises(InvalidRequest) as refusal:
        sealed_connection(services, "prt_x", given)
    assert refusal.value.extra["field"] == "bank.till.base_url"


# ---------------------------------------------------------------------------------------------------- the short code


@pytest.fixture
async def new_app(house: House) -> dict[str, Any]:
    """A second lender's M-Pesa app at the simulator, as the API wants it."""
    app = {
        "consumer_key": new_id("ck"), "consumer_secret": "cs-secret", "shortcode": "600998",
        "initiator_name": "kivukoapi", "initiator_password": "Init#2026", "passkey": "passkey-600998",
    }  # fmt: skip
    opened = await house.http.post("/daraja/simulator/apps", json={**app, "utility_balance": "1000.00"})
    assert opened.status_code == 200
    certificate = (await house.http.get("/daraja/simulator/certificate")).text
    return {**app, "base_url": f"{house.simulators.url}/daraja", "certificate_pem": certificate}


async def pulls(house: House, partner_id: str) -> bool:
    ids = {schedule.id async for schedule in await house.client.list_schedules()}
    return watch_id("daraja", partner_id) in ids


async def test_a_short_code_is_registered_once_and_its_payments_are_pulled(
    house: House, house_admin: httpx.AsyncClient, new_app: dict[str, Any]
) -> None:
    without = {name: value for name, value in new_app.items() if name != "passkey"}
    made = await house_admin.post("/api/v1/partners", json={"name": "New Sacco", "daraja": without})
    assert made.status_code == 201, made.text
    partner_id = made.json()["id"]
    assert not await pulls(house, partner_id)
    path = f"/api/v1/partners/{partner_id}/connections/daraja"
    body = {"nominated_phone": "+254711000333", "unanswered": "Completed"}
    first, second = [await house_admin.post(f"{path}/register-paybill", json=body) for _ in range(2)]
    assert first.status_code == 200, first.text
    assert first.json() == {"announcements": "newly_registered", "pull": "newly_registered"}
    assert second.json() == {"announcements": "already_registered", "pull": "already_registered"}
    described = await house.client.get_schedule_handle(watch_id("daraja", partner_id)).describe()
    assert described.schedule.action is not None
    # M-Pesa has the addresses that the API shows, and the log of the calls has neither them nor the phone.
    urls = {item["purpose"]: item["url"] for item in (await house_admin.get(f"{path}/address")).json()["items"]}
    told = await house.http.post(urls["confirm"], json={})
    assert told.status_code == 200
    await house.database.flush()  # what the log writes behind the calls
    exchanges = (await house_admin.get("/api/v1/exchanges", params={"partner_id": partner_id})).text
    assert "c2b.register" in exchanges
    assert "pull.register" in exchanges
    secret = urls["confirm"].split("/")[-2]
    assert secret not in exchanges
    assert "254711000333" not in exchanges
    async with house.database.transaction() as session:
        audit = (await (await session.connection()).execute(text("SELECT t::text FROM audit_log t"))).scalars().all()
    (act, _) = [row for row in audit if "connections.register_paybill" in row]
    assert secret not in act
    assert "711000333" not in act


async def test_a_pass_key_brings_the_pull_and_does_not_undo_a_changed_interval(
    house: House, house_admin: httpx.AsyncClient, new_app: dict[str, Any]
) -> None:
    made = await house_admin.post("/api/v1/partners", json={"name": "New Sacco", "daraja": new_app})
    assert made.status_code == 201, made.text
    partner_id = made.json()["id"]
    handle = house.client.get_schedule_handle(watch_id("daraja", partner_id))
    await handle.delete()
    rotated = await house_admin.put(f"/api/v1/partners/{partner_id}/connections/daraja", json=new_app)
    assert (rotated.status_code, rotated.json()["version"]) == (200, 2)
    assert not await pulls(house, partner_id), "an operator's change to the schedule survives a rotation"
    assert (await secrets_of(house, partner_id, "daraja"))["passkey"] == "passkey-600998"
    assert rotated.json()["settings"]["reject_unknown_accounts"] is True
    assert "passkey-600998" not in made.text + rotated.text


async def test_what_mpesa_refuses_is_told_and_not_called_a_fault_of_the_key(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    async with house.database.transaction() as session:
        await partners.set_connection_status(session, house.partner_id, "daraja", "blocked", "the password expired")
    answer = await house_admin.post(
        f"/api/v1/partners/{house.partner_id}/connections/daraja/register-paybill",
        json={"nominated_phone": "+254711000333"},
    )
    assert (answer.status_code, answer.json()["code"]) == (503, "connection_blocked")
