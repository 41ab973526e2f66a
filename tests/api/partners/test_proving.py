"""Whose connections count: nobody proves their own money, and what is outside has one owner."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlmodel import select

from core.ids import new_id
from core.money import Money
from core.msisdn import Msisdn
from core.settings import Settings
from models.tables.lending.customer_collection import Collection
from models.tables.platform.claims import OutsideClaim
from models.tables.platform.connection import Connection
from store.lending import customer_collection
from store.platform import claims, partners
from tests.api.conftest import Door
from tests.api.money import rich_lender
from tests.support.addresses import secret_of
from tests.support.house import House
from tests.support.lender import BANK_SECRETS
from tests.support.waiting import eventually

BANK: dict[str, Any] = {
    "dialect": "reference", "base_url": "http://127.0.0.1:9/bank", "wallet_account": "7000200030", "wallet_name": "W",
    "b2c_account": "7000200031", "b2c_name": "B", "float_account": "600997", "float_name": "F", "token": "mine",
    "push_secrets": ["a secret of my own"],
}  # fmt: skip


@pytest.fixture
def wired_settings(wired_settings: Settings) -> Settings:
    """M-Pesa's answer about the balance is waited for a moment only."""
    return wired_settings.model_copy(
        update={"api": wired_settings.api.model_copy(update={"balance_within_seconds": 3.0})}
    )


@pytest.fixture
async def second(house: House, house_admin: httpx.AsyncClient) -> str:
    """Another partner, without connections."""
    made = await house_admin.post("/api/v1/partners", json={"name": "Second Sacco"})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def partner_key(house: House, admin: httpx.AsyncClient, partner_id: str) -> httpx.AsyncClient:
    body = {"name": new_id("nam"), "scopes": ["partners:read", "partners:write", "disbursements:write"]}
    made = await admin.post("/api/v1/keys", json=body | {"partner_id": partner_id})
    assert made.status_code == 201, made.text
    headers = {"Authorization": f"Bearer {made.json()['key']}"}
    return httpx.AsyncClient(verify=False, base_url=house.api_url, headers=headers, timeout=60)


async def tenant(house: House, name: str) -> dict[str, Any]:
    """A tenant of the simulated Fineract, as the API wants it."""
    assert (await house.http.post("/fineract/simulator/tenants", json={"tenant": name})).status_code == 201
    base = f"{house.simulators.url}/fineract/fineract-provider/api"
    return {"base_url": base, "tenant": name, "username": "mifos", "password": "password"}


async def app(house: House, shortcode: str) -> dict[str, Any]:
    given = {
        "consumer_key": new_id("ck"), "consumer_secret": "cs-secret", "shortcode": shortcode,
        "initiator_name": "kivukoapi", "initiator_password": "Init#2026", "passkey": "passkey",
    }  # fmt: skip
    opened = await house.http.post("/daraja/simulator/apps", json={**given, "utility_balance": "1000.00"})
    assert opened.status_code == 200
    certificate = (await house.http.get("/daraja/simulator/certificate")).text
    return {**given, "base_url": f"{house.simulators.url}/daraja", "certificate_pem": certificate}


def path_of(partner_id: str, provider: str) -> str:
    return f"/api/v1/partners/{partner_id}/connections/{provider}"


async def claimed(house: House, partner_id: str) -> set[str]:
    async with house.database.transaction() as session:
        found = await session.exec(select(OutsideClaim).where(OutsideClaim.partner_id == partner_id))
        return {f"{row.kind}:{row.key.rsplit('/', 1)[-1]}" for row in found}


# ------------------------------------------------------------------------------------------ what feeds a wallet


async def test_a_partner_can_neither_give_nor_change_what_feeds_its_wallet(door: Door) -> None:
    partner_id = await rich_lender(door, "Mine")
    without = await door.lender("Without a bank")
    before = [(row.sealed, row.settings, row.version) for row in await door.rows(Connection)]
    for whose in (partner_id, without):
        visitor = await door.key("partners:read", "partners:write", partner_id=whose)
        refused = await visitor.put(path_of(whose, "bank"), json=BANK)
        assert (refused.status_code, refused.json()["code"]) == (403, "platform_only")
        for provider in ("bank", "daraja"):
            hidden = await visitor.get(f"{path_of(whose, provider)}/address")
            assert (hidden.status_code, hidden.json()["code"]) == (403, "platform_only")
    assert [(row.sealed, row.settings, row.version) for row in await door.rows(Connection)] == before


async def test_no_key_of_a_partner_says_that_money_came(door: Door) -> None:
    """Crediting a wallet, deciding about its money and saying whose addresses count are scopes of the house."""
    partner_id = await door.lender()
    for scope in ("wallets:credit", "top-ups:resolve", "float-purchases:resolve", "admin"):
        made = await door.admin.post("/api/v1/keys", json={"name": scope, "scopes": [scope], "partner_id": partner_id})
        assert (made.status_code, made.json()["code"]) == (422, "house_only_scope")
    visitor = await door.key("partners:read", "partners:write", partner_id=partner_id)
    vet = await visitor.put("/api/v1/vetted-addresses/fineract/127.0.0.1", json={})
    assert vet.status_code == 403


async def test_a_partner_has_its_paybill_registered_and_is_shown_nothing(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    async with await partner_key(house, house_admin, house.partner_id) as visitor:
        done = await visitor.post(
            f"{path_of(house.partner_id, 'daraja')}/register-paybill", json={"nominated_phone": "+254711000333"}
        )
    assert done.status_code == 200, done.text
    async with house.database.transaction() as session:
        secret = secret_of(house.settings, await partners.connection(session, house.partner_id, "daraja"))
    assert secret not in done.text
    async with await partner_key(house, house_admin, house.partner_id) as visitor:
        for shown in (f"/api/v1/partners/{house.partner_id}", "/api/v1/exchanges"):
            assert secret not in (await visitor.get(shown)).text


# ----------------------------------------------------------------------------------------------- vetted addresses


async def test_nothing_is_sent_where_nobody_has_vetted_the_address(
    house: House, house_admin: httpx.AsyncClient, second: str
) -> None:
    """A partner that names another's tenant at a server of its own making claims nothing and blocks nobody."""
    given = await tenant(house, "second")
    path = path_of(second, "fineract")
    async with await partner_key(house, house_admin, second) as visitor:
        kept = await visitor.put(path, json=given)
        assert (kept.status_code, kept.json()["status"]) == (200, "unproven"), kept.text
        assert await claimed(house, second) == set()
        asked = await visitor.post("/api/v1/disbursements", json={"loan_id": 1})
        assert (asked.status_code, asked.json()["code"]) == (503, "connection_unproven"), asked.text
        assert (await visitor.post(f"/api/v1/partners/{second}/loan-products/fetch")).status_code == 503
        # Saying that it be tried does not prove it either.
        assert (await visitor.post(f"{path}/check")).json()["status"] == "unproven"
        assert (await house_admin.get("/api/v1/exchanges", params={"partner_id": second})).json()["items"] == []

        server = house.simulators.url.removeprefix("http://")
        vetted = await house_admin.put(f"/api/v1/vetted-addresses/fineract/{server}", json={"note": "seen"})
        assert vetted.status_code == 200, vetted.text
        proven = await visitor.post(f"{path}/check")
        assert (proven.status_code, proven.json()["status"]) == (200, "ok"), proven.text
        assert await claimed(house, second) == {"fineract_tenant:second"}
        assert (await visitor.post(f"/api/v1/partners/{second}/loan-products/fetch")).status_code == 200
    gone = await house_admin.delete(f"/api/v1/vetted-addresses/fineract/{server}")
    assert gone.status_code == 200
    assert (await house_admin.get("/api/v1/vetted-addresses")).json()["items"] == []


async def test_a_partner_rotates_its_credentials_where_the_platform_put_them(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    """The same server with the same certificates needs no new vetting; with certificates of the partner's own it does."""
    given = await tenant(house, "default")
    async with await partner_key(house, house_admin, house.partner_id) as visitor:
        path = path_of(house.partner_id, "fineract")
        same = await visitor.put(path, json=given)
        assert (same.status_code, same.json()["status"]) == (200, "ok"), same.text
        wrong = await visitor.put(path, json={**given, "password": "wrong"})
        assert wrong.status_code == 422
        server = house.simulators.url.removeprefix("http://")
        await house_admin.put(f"/api/v1/vetted-addresses/fineract/{server}", json={})
        own = await visitor.put(path, json={**given, "trust": {"verify_tls": False}})
        assert (own.status_code, own.json()["status"]) == (200, "unproven"), own.text


# ------------------------------------------------------------------------------------------ claimed once in the world


@pytest.mark.parametrize("provider", ["fineract", "daraja", "bank"])
async def test_what_another_partner_has_is_refused_and_the_house_is_told(
    house: House, house_admin: httpx.AsyncClient, second: str, provider: str
) -> None:
    base = house.simulators.url
    fineract = {"base_url": f"{base}/fineract/fineract-provider/api/", "tenant": "Default", "username": "mifos",
                "password": "password"}  # fmt: skip
    bank = {**BANK, "base_url": f"{base}/bank/reference", "token": BANK_SECRETS.token, "b2c_account": "1000-2000-30"}
    given = await app(house, "600997") if provider == "daraja" else {"fineract": fineract, "bank": bank}[provider]
    if provider == "fineract":  # a server that compares as MySQL does
        await tenant(house, "Default")
    refused = await house_admin.put(path_of(second, provider), json=given)
    assert (refused.status_code, refused.json()["code"]) == (409, "claimed_elsewhere"), refused.text
    assert house.partner_id not in refused.text
    assert await claimed(house, second) == set()
    assert (await house_admin.get(f"/api/v1/partners/{second}")).json()["connections"] == []
    (case,) = (await house_admin.get("/api/v1/cases", params={"kind": "claimed_elsewhere"})).json()["items"]
    assert case["evidence"]["wanted_by"] == second
    keys = {"name": "curious", "scopes": ["disbursements:read"], "partner_id": second}
    key = (await house_admin.post("/api/v1/keys", json=keys)).json()["key"]
    async with httpx.AsyncClient(
        verify=False, base_url=house.api_url, headers={"Authorization": f"Bearer {key}"}
    ) as visitor:
        assert (await visitor.get("/api/v1/cases")).json()["items"] == []


async def test_of_two_partners_that_come_at_once_one_has_the_tenant(
    house: House, house_admin: httpx.AsyncClient, second: str
) -> None:
    third = (await house_admin.post("/api/v1/partners", json={"name": "Third Sacco"})).json()["id"]
    given = await tenant(house, "new")
    answers = await asyncio.gather(*(house_admin.put(path_of(one, "fineract"), json=given) for one in (second, third)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert sorted([await claimed(house, second), await claimed(house, third)], key=len) == [
        set(), {"fineract_tenant:new"}
    ]  # fmt: skip


async def test_a_system_that_moved_keeps_the_name_of_its_loans_and_only_the_platform_says_so(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    async with house.database.transaction() as session:
        before = await claims.tenant_of(session, house.partner_id)
        await customer_collection.begin_prompted(
            session, partner_id=house.partner_id, amount=Money.parse("10", "KES"), account_ref="000000091",
            msisdn=Msisdn("+254712345678"), requested_by="test",
        )  # fmt: skip
    given, path = await tenant(house, "moved-here"), f"{path_of(house.partner_id, 'fineract')}?moved=true"
    async with await partner_key(house, house_admin, house.partner_id) as visitor:
        refused = await visitor.put(path, json=given)
    assert (refused.status_code, refused.json()["code"]) == (403, "platform_only"), refused.text
    taken = await house_admin.put(path, json=given)
    assert (taken.status_code, taken.json()["status"]) == (200, "ok"), taken.text
    async with house.database.transaction() as session:
        assert await claims.tenant_of(session, house.partner_id) == before


async def test_what_sagas_speak_with_does_not_lead_elsewhere_under_them(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    given = await tenant(house, "elsewhere")
    async with house.database.transaction() as session:
        living = await customer_collection.begin_prompted(
            session, partner_id=house.partner_id, amount=Money.parse("10", "KES"), account_ref="000000091",
            msisdn=Msisdn("+254712345678"), requested_by="test",
        )  # fmt: skip
    refused = await house_admin.put(path_of(house.partner_id, "fineract"), json=given)
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use"), refused.text
    rotated = await house_admin.put(path_of(house.partner_id, "fineract"), json={**given, "tenant": "default"})
    assert rotated.status_code == 200
    async with house.database.transaction() as session:
        row = await session.get(Collection, living.id)
        assert row is not None
        row.stage, row.ended_at = "failed", row.created_at
        session.add(row)
    moved = await house_admin.put(path_of(house.partner_id, "fineract"), json=given)
    assert moved.status_code == 200, moved.text
    # The old tenant stays the partner's: what was paid there is not for another to pay again.
    assert await claimed(house, house.partner_id) >= {"fineract_tenant:default", "fineract_tenant:elsewhere"}


# ------------------------------------------------------------------------------------------- the short code is proven


async def test_a_wrong_short_code_is_refused_when_it_is_given(
    house: House, house_admin: httpx.AsyncClient, second: str
) -> None:
    given = await app(house, "600998")
    refused = await house_admin.put(path_of(second, "daraja"), json={**given, "shortcode": "600111"})
    assert refused.status_code == 422, refused.text
    assert [error["field"] for error in refused.json()["errors"]] == ["daraja.shortcode"]
    good = await house_admin.put(path_of(second, "daraja"), json=given)
    assert (good.status_code, good.json()["status"]) == (200, "ok"), good.text
    assert await claimed(house, second) == {"mpesa_shortcode:600998"}


async def test_credentials_that_are_only_tried_do_not_block_those_that_are_used(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    given = await app(house, "600997")
    refused = await house_admin.put(path_of(house.partner_id, "daraja"), json={**given, "initiator_password": "wrong"})
    assert refused.status_code == 422, refused.text
    assert await house.connection_status("daraja") == "ok"


async def test_while_mpesa_is_silent_about_the_balance_nothing_is_certain(
    house: House, house_admin: httpx.AsyncClient, second: str
) -> None:
    """The platform's word makes it usable; a partner's own does not, until M-Pesa has answered."""
    server = house.simulators.url.removeprefix("http://")
    await house_admin.put(f"/api/v1/vetted-addresses/daraja/{server}", json={})
    given = await app(house, "600998")
    await house.fault("daraja.balance.answer", "lose", times=2)
    async with await partner_key(house, house_admin, second) as visitor:
        own = await visitor.put(path_of(second, "daraja"), json=given)
        assert (own.status_code, own.json()["status"]) == (200, "unproven"), own.text
        assert await claimed(house, second) == set()
        ours = await house_admin.put(path_of(second, "daraja"), json=given)
        assert (ours.status_code, ours.json()["status"]) == (200, "unchecked"), ours.text
        assert await claimed(house, second) == {"mpesa_shortcode:600998"}

        async def ok() -> bool:
            return bool((await visitor.post(f"{path_of(second, 'daraja')}/check")).json()["status"] == "ok")

        await eventually(ok)
        # Another code that the customers would pay to is proven by nobody.
        more = await visitor.put(path_of(second, "daraja"), json={**given, "stk_shortcode": "600997"})
        assert (more.status_code, more.json()["status"]) == (200, "unproven"), more.text
