"""Addresses at which money is announced belong to the house, rest sealed, and are replaced without losing a payment."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from core.clock import utc_now
from core.ids import new_id
from models.tables.platform.connection import Connection
from store.platform import partner_admin, secret_addresses
from tests.api.conftest import Door
from tests.api.money import rich_lender
from tests.support.addresses import secret_of

PUSHED = {"daraja": ("confirm", "check"), "bank": ("push",)}


async def urls(door: Door, caller: httpx.AsyncClient, partner_id: str) -> dict[str, str]:
    answer = await caller.get(f"/api/v1/partners/{partner_id}/addresses")
    assert answer.status_code == 200, answer.text
    return {
        item["purpose"]: item["url"].removeprefix(door.settings.callbacks.base_url) for item in answer.json()["items"]
    }


async def rotate(caller: httpx.AsyncClient, partner_id: str, provider: str, **body: object) -> httpx.Response:
    path = f"/api/v1/partners/{partner_id}/connections/{provider}/rotate-address"
    return await caller.post(path, json=body, headers={"Idempotency-Key": new_id("cmd")})


async def test_the_house_reads_all_of_them_and_a_partner_its_hook_alone(door: Door) -> None:
    partner_id, other = await rich_lender(door, "Mine"), await rich_lender(door, "Other")
    writer = await door.key("partners:write", partner_id=partner_id)
    reader = await door.key("partners:read", partner_id=partner_id)
    assert set(await urls(door, door.admin, partner_id)) == {"hook", "push", "confirm", "check"}
    assert set(await urls(door, writer, partner_id)) == {"hook"}
    path = "/api/v1/partners/{}/addresses"
    assert (await reader.get(path.format(partner_id))).status_code == 403
    assert (await writer.get(path.format(other))).status_code == 404


@pytest.mark.parametrize("provider", ["daraja", "bank"])
async def test_a_partner_neither_reads_nor_replaces_where_its_own_money_is_announced(door: Door, provider: str) -> None:
    partner_id = await rich_lender(door)
    writer = await door.key("partners:write", partner_id=partner_id)
    path = f"/api/v1/partners/{partner_id}/connections/{provider}"
    for answer in (await writer.get(f"{path}/address"), await rotate(writer, partner_id, provider)):
        assert (answer.status_code, answer.json()["code"]) == (403, "platform_only")
    assert (await door.admin.get(f"{path}/address")).status_code == 200


async def test_what_rests_in_the_database_opens_no_door(door: Door) -> None:
    partner_id = await rich_lender(door)
    told = await urls(door, door.admin, partner_id)
    secrets = {url.split("/")[3] for url in told.values()}
    async with door.database.transaction() as session:
        for table in ("partners", "connections"):
            rows = await (await session.connection()).execute(text(f"SELECT {table}::text FROM {table}"))
            whole = "\n".join(row[0] for row in rows)
            assert not any(secret in whole for secret in secrets)
    (fineract,) = [row for row in await door.rows(Connection) if row.provider == "fineract"]
    assert (await door.visitor().get(f"/cb/hooks/{fineract.address_digest}/")).status_code == 404
    assert (await door.visitor().get(told["hook"])).status_code == 200


async def test_the_replaced_address_works_for_its_grace_and_no_longer(door: Door) -> None:
    partner_id = await rich_lender(door)
    writer, visitor = await door.key("partners:write", partner_id=partner_id), door.visitor()
    old = (await urls(door, writer, partner_id))["hook"]
    answer = await rotate(writer, partner_id, "fineract")
    assert answer.status_code == 200, answer.text
    new = answer.json()["items"][0]["url"].removeprefix(door.settings.callbacks.base_url)
    assert new != old
    assert answer.json()["items"][0]["old_until"] is not None
    assert [(await visitor.get(url)).status_code for url in (old, new)] == [200, 200]
    async with door.database.transaction() as session:
        fineract = await partner_admin.lock_connection(session, partner_id, "fineract")
        assert fineract is not None
        fineract.old_address_until = utc_now() - timedelta(seconds=1)
        session.add(fineract)
    assert [(await visitor.get(url)).status_code for url in (old, new)] == [404, 200]


async def test_a_leaked_address_ends_at_once_even_during_a_grace(door: Door) -> None:
    partner_id = await rich_lender(door)
    visitor, first = door.visitor(), (await urls(door, door.admin, partner_id))["hook"]
    await rotate(door.admin, partner_id, "fineract")
    second = (await urls(door, door.admin, partner_id))["hook"]
    again = await rotate(door.admin, partner_id, "fineract")
    assert (again.status_code, again.json()["code"]) == (409, "rotation_in_progress")
    assert (await rotate(door.admin, partner_id, "fineract", grace_hours=0)).status_code == 200
    third = (await urls(door, door.admin, partner_id))["hook"]
    assert [(await visitor.get(url)).status_code for url in (first, second, third)] == [404, 404, 200]


@pytest.mark.parametrize("provider", ["daraja", "bank"])
async def test_where_money_is_announced_the_old_address_still_finds_its_connection(door: Door, provider: str) -> None:
    partner_id = await rich_lender(door)
    old = await urls(door, door.admin, partner_id)
    assert (await rotate(door.admin, partner_id, provider)).status_code == 200
    new = await urls(door, door.admin, partner_id)
    for purpose in PUSHED[provider]:
        assert new[purpose] != old[purpose]
        for url in (old[purpose], new[purpose]):
            # Not 404: the connection was found, and what is posted is read or refused as its own.
            assert (await door.visitor().post(url, json={})).status_code != 404
    (row,) = [row for row in await door.rows(Connection) if row.provider == provider]
    assert secret_of(door.settings, row) in new[PUSHED[provider][0]]


async def test_a_repeated_request_replaces_once_and_is_answered_alike(door: Door) -> None:
    partner_id = await rich_lender(door)
    headers = {"Idempotency-Key": "rotate-1"}
    path = f"/api/v1/partners/{partner_id}/connections/bank/rotate-address"
    first, second = [await door.admin.post(path, json={}, headers=headers) for _ in range(2)]
    assert first.json() == second.json()
    (act,) = await door.audit("addresses.rotate")
    assert act.after == {"provider": "bank", "grace_hours": 48}
    async with door.database.transaction() as session:
        kept = await (await session.connection()).execute(text("SELECT answer::text FROM idempotency_keys"))
        assert first.json()["items"][0]["url"].split("/")[-2] not in str(list(kept))


async def test_a_connection_without_an_address_says_so(door: Door) -> None:
    partner_id = await rich_lender(door)
    (bare,) = [row for row in await door.rows(Connection) if row.provider == "bank"]
    async with door.database.transaction() as session:
        bare.address_secret = bare.address_digest = None
        session.add(bare)
    none = await door.admin.get(f"/api/v1/partners/{partner_id}/connections/bank/address")
    assert (none.status_code, none.json()["code"]) == (409, "no_address")
    assert "push" not in await urls(door, door.admin, partner_id)
    given = await rotate(door.admin, partner_id, "bank")
    assert given.status_code == 200
    assert given.json()["items"][0]["old_until"] is None


def test_a_secret_spells_no_word_that_daraja_refuses() -> None:
    from core.crypto import CredentialBox

    box = CredentialBox([CredentialBox.new_key()])
    assert set(box.open(secret_addresses.made(box)["address_secret"])) <= set("0123456789abcdef")
