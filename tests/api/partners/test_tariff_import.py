"""Tariffs from a file: the whole file or nothing, every mistake named by line and column."""

from typing import get_args

import httpx
import pytest

from api.partners.tariffs_schemas import Charge
from core.clock import utc_now
from core.money import Money
from models.tables.platform.tariff_band import CHARGES, TariffBand
from store.platform import tariffs
from tests.api.conftest import Door

PATH = "/api/v1/tariffs/import"
HEADER = "charge,currency,from,to,fee,valid_from"
FROM = "2026-01-01T00:00:00+03:00"
SET = (f"bank_transfer,KES,5000.01,999999.99,40.00,{FROM}", f"bank_transfer,KES,0,5000,20,{FROM}")


async def upload(client: httpx.AsyncClient, *lines: str, header: str = HEADER, **headers: str) -> httpx.Response:
    text = "\r\n".join((header, *lines)) + "\r\n"
    return await client.post(PATH, content=text.encode(), headers={"Content-Type": "text/csv", **headers})


async def kept(door: Door) -> list[TariffBand]:
    return [row for row in await door.rows(TariffBand) if row.charge != "mpesa_b2c"]


async def test_a_file_is_added_whole_and_used(door: Door) -> None:
    partner_id = await door.lender()
    own = f"bank_transfer,KES,0.00,999999.99,5.00,{FROM},{partner_id}"
    added = await upload(door.admin, *(f"{line}," for line in SET), own, header=f"{HEADER},partner_id")
    assert (added.status_code, added.json()) == (201, {"bands": 3})
    other = await door.lender("Other")
    async with door.database.transaction() as session:
        fees = [
            (await tariffs.fees(session, whose, Money.parse("5000.01", "KES"), utc_now(), ["bank_transfer"]))
            for whose in (partner_id, other)
        ]
    assert [fee["bank_transfer"].amount for fee in fees] == ["5.00", "40.00"]
    assert len(await door.audit("tariffs.add")) == 1
    listed = (await door.admin.get("/api/v1/tariffs?charge=bank_transfer")).json()["items"]
    assert len(listed) == 3


async def test_the_same_file_again_adds_nothing(door: Door) -> None:
    await upload(door.admin, *SET)
    again = await upload(door.admin, *SET[::-1])
    assert (again.status_code, again.json()) == (200, {"bands": 0})
    assert len(await kept(door)) == 2
    assert len(await door.audit("tariffs.add")) == 1


async def test_another_set_of_the_same_date_is_a_conflict_that_names_its_line(door: Door) -> None:
    await upload(door.admin, *SET)
    other = await upload(door.admin, f"processing,KES,0,10,1,{FROM}", f"bank_transfer,KES,0,10,1,{FROM}")
    assert (other.status_code, other.json()["code"]) == (409, "tariff_exists")
    assert other.json()["errors"][0]["field"] == "line 3.valid_from"
    assert len(await kept(door)) == 2


@pytest.mark.parametrize(
    ("line", "field", "rule"),
    [
        (f"tea,KES,0,10,1,{FROM}", "line 4.charge", "literal_error"),
        (f"sms,XXX,0,10,1,{FROM}", "line 4.currency", "unknown_currency"),
        (f'sms,KES,"1,000",2000,1,{FROM}', "line 4.from", "string_pattern_mismatch"),
        (f"sms,KES,0,10.005,1,{FROM}", "line 4.to", "string_pattern_mismatch"),
        (f"sms,UGX,0,10.50,1,{FROM}", "line 4.to", "decimal_places"),
        (f"sms,KES,0,10,-1,{FROM}", "line 4.fee", "string_pattern_mismatch"),
        (f"sms,KES,0,10,,{FROM}", "line 4.fee", "string_pattern_mismatch"),
        ("sms,KES,0,10,1,2026-01-01", "line 4.valid_from", "timezone_aware"),
        ("sms,KES,0,10,1,soon", "line 4.valid_from", "datetime_from_date_parsing"),
        (f"sms,KES,20,10,1,{FROM}", "line 4.to", "empty_band"),
        (f"bank_transfer,KES,4000,6000,1,{FROM}", "line 4.from", "overlap"),
        (f"bank_transfer,KES,1000000.01,2000000,1,{FROM}", "line 4.from", "gap"),
        ("sms,KES,0,10,1", "line 4", "wrong_cells"),
    ],
)
async def test_a_mistake_names_its_line_and_column_and_keeps_the_whole_file_out(
    door: Door, line: str, field: str, rule: str
) -> None:
    answer = await upload(door.admin, *SET, line)
    assert answer.status_code == 422, answer.text
    assert (field, rule) in [(error["field"], error["rule"]) for error in answer.json()["errors"]]
    assert await kept(door) == []


async def test_every_bad_line_is_named(door: Door) -> None:
    answer = await upload(door.admin, f"tea,KES,0,10,x,{FROM}", *SET, f"sms,XXX,0,10,1,{FROM}")
    assert [error["field"] for error in answer.json()["errors"]] == ["line 2.charge", "line 2.fee", "line 5.currency"]


@pytest.mark.parametrize(
    ("header", "field", "rule"),
    [
        ("charge,currency,from,to,fee", "line 1.valid_from", "missing_column"),
        (f"{HEADER},note", "line 1", "unknown_column"),
        (HEADER.replace(",", ";"), "line 1.charge", "missing_column"),
    ],
)
async def test_a_header_that_does_not_fit_is_named(door: Door, header: str, field: str, rule: str) -> None:
    answer = await upload(door.admin, *SET, header=header)
    assert answer.status_code == 422
    assert (field, rule) in [(error["field"], error["rule"]) for error in answer.json()["errors"]]


async def test_a_set_for_nobody_and_a_body_that_is_no_file_are_refused(door: Door) -> None:
    nobody = await upload(door.admin, f"sms,KES,0,10,1,{FROM},prt_{'0' * 26}", header=f"{HEADER},partner_id")
    assert nobody.status_code == 404
    answer = await door.admin.post(PATH, json={"bands": []})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_only_an_admin_imports_and_a_repeated_request_gets_the_same_answer(door: Door) -> None:
    assert (await upload(await door.key("partners:write"), *SET)).status_code == 403
    answers = [await upload(door.admin, *SET, **{"Idempotency-Key": "tariffs-1"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].headers["idempotency-replayed"] == "true"


def test_the_api_knows_every_charge() -> None:
    assert get_args(Charge) == CHARGES
