"""Tariffs come in whole dated sets and are never changed."""

from typing import Any

from core.clock import utc_now
from core.money import Money
from models.tables.platform.tariff_band import TariffBand
from store.platform import tariffs
from tests.api.conftest import Door


def kes(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "KES"}


def band(low: str, high: str, fee: str, **more: Any) -> dict[str, Any]:
    return {
        "charge": "processing", "from_amount": kes(low), "to_amount": kes(high), "fee": kes(fee),
        "valid_from": "2026-01-01T00:00:00+03:00", **more,
    }  # fmt: skip


SET = [band("1000.01", "250000", "20"), band("0", "1000.00", "10")]


async def test_a_set_is_added_whole_and_used(door: Door) -> None:
    partner_id = await door.lender()
    added = await door.admin.post("/api/v1/tariffs", json={"bands": SET})
    assert (added.status_code, added.json()) == (201, {"bands": 2})
    async with door.database.transaction() as session:
        fee = await tariffs.fees(session, partner_id, Money.parse("1000.01", "KES"), utc_now(), ["processing"])
    assert fee["processing"].amount == "20.00"
    listed = (await door.admin.get("/api/v1/tariffs?charge=processing")).json()["items"]
    assert {row["from_amount"]["amount"] for row in listed} == {"0.00", "1000.01"}
    assert len(await door.audit("tariffs.add")) == 1


async def test_the_same_set_again_adds_nothing_and_another_of_its_date_is_a_conflict(door: Door) -> None:
    await door.admin.post("/api/v1/tariffs", json={"bands": SET})
    again = await door.admin.post("/api/v1/tariffs", json={"bands": SET[::-1]})
    assert (again.status_code, again.json()) == (200, {"bands": 0})
    # One more band would otherwise join the old ones and make a set that nobody uploaded.
    other = await door.admin.post("/api/v1/tariffs", json={"bands": [band("250000.01", "300000", "25")]})
    assert (other.status_code, other.json()["code"]) == (409, "tariff_exists")
    assert len([row for row in await door.rows(TariffBand) if row.charge == "processing"]) == 2


async def test_one_bad_set_keeps_all_of_an_upload_out(door: Door) -> None:
    bad = [band("0", "10", "1", charge="sms"), band("11", "20", "1", charge="sms")]
    answer = await door.admin.post("/api/v1/tariffs", json={"bands": [*SET, *bad]})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "bands.3.from_amount")
    assert "KES 10.01" in answer.json()["detail"]
    assert [row for row in await door.rows(TariffBand) if row.charge != "mpesa_b2c"] == []


async def test_a_partner_sees_the_general_bands_and_its_own(door: Door) -> None:
    mine, other = await door.lender("Mine"), await door.lender("Other")
    for owner, fee in ((mine, "1"), (other, "2")):
        body = {"bands": [band("0", "10", fee, partner_id=owner)]}
        assert (await door.admin.post("/api/v1/tariffs", json=body)).status_code == 201
    visitor = await door.key("partners:read", partner_id=mine)
    seen = (await visitor.get("/api/v1/tariffs?limit=200")).json()["items"]
    assert {row["partner_id"] for row in seen} == {None, mine}


async def test_a_set_for_nobody_is_not_found(door: Door) -> None:
    body = {"bands": [band("0", "10", "1", partner_id=f"prt_{'0' * 26}")]}
    assert (await door.admin.post("/api/v1/tariffs", json=body)).status_code == 404
