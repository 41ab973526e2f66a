"""Lists of payments of every kind: filtered in the address, page by page, as a file, each lender's own alone."""

import csv
import io
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from api.console import list_query, payment_list
from core.clock import utc_now
from models.kinds import KINDS, SagaKind
from store.saga import saga_rows
from tests.api.conftest import Door
from tests.api.console.conftest import Street
from tests.api.money import COLLECT, REQUESTS, TOP_UP, rich_lender, say

every_kind = pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in KINDS])


async def one_of(door: Door, kind: SagaKind, partner_id: str, **more: Any) -> dict[str, Any]:
    """A payment of this kind, asked for by the API; nobody works on it."""
    body = REQUESTS.get(kind.path, {"loan_id": 91}) | {"partner_id": partner_id} | more
    answer = await say(door.admin, kind.path, body)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def ids(links: list[str]) -> list[str]:
    return [link.rpartition("/")[2] for link in links if "_0" in link and "?" not in link]


@every_kind
async def test_a_lenders_people_see_its_own_alone(door: Door, street: Street, kind: SagaKind) -> None:
    mine, other = await rich_lender(door, "Mine"), await rich_lender(door, "Other")
    first, second = await one_of(door, kind, mine), await one_of(door, kind, other)
    of_mine = await street.signed_in(kind.scope("read"), partner_id=mine)
    page = await of_mine.get(f"/console{kind.path}")
    assert ids(page.links) == [first["id"]]
    assert "Other" not in page.text
    await of_mine.get(f"/console{kind.path}?partner={other}")
    assert of_mine.status == 404
    await of_mine.get(f"/console{kind.path}.csv?partner={other}")
    assert of_mine.status == 404
    await of_mine.get(f"/console{kind.path}.csv")
    assert first["id"] in of_mine.answer.text
    assert second["id"] not in of_mine.answer.text
    await of_mine.get(f"/console{kind.path}/{second['id']}")
    assert of_mine.status == 404
    of_house = await street.signed_in(kind.scope("read"))
    page = await of_house.get(f"/console{kind.path}")
    assert ids(page.links) == [second["id"], first["id"]]
    assert {"Mine", "Other"} <= set(page.text.split())
    assert ids((await of_house.get(f"/console{kind.path}?partner={mine}")).links) == [first["id"]]


@every_kind
async def test_without_the_scope_there_is_nothing_to_see(door: Door, street: Street, kind: SagaKind) -> None:
    row = await one_of(door, kind, await rich_lender(door))
    others = [other.scope("read") for other in KINDS if other is not kind]
    browser = await street.signed_in(*others, kind.scope("write"), kind.scope("resolve"))
    for path in (
        kind.path,
        f"{kind.path}.csv",
        f"{kind.path}/{row['id']}",
        f"{kind.path}/{row['id']}/now?stage=paying",
    ):
        page = await browser.get(f"/console{path}")
        assert browser.status == 403, path
        assert row["id"] not in browser.answer.text
        assert kind.scope("read") in page.text
        assert f"/console{kind.path}" not in page.links


async def test_filters_stand_in_the_address_and_choose(door: Door, street: Street) -> None:
    partner_id = await rich_lender(door)
    first = (await say(door.admin, "/top-ups", {**TOP_UP, "partner_id": partner_id, "client_reference": "A-1"})).json()
    second = (await say(door.admin, "/top-ups", {**TOP_UP, "partner_id": partner_id})).json()
    async with door.database.transaction() as session:
        await saga_rows.change(session, first["workflow_id"], stage="completed", ended=True)
    browser = await street.signed_in("top-ups:read")
    today = utc_now().date()

    async def listed(query: str) -> list[str]:
        page = await browser.get(f"/console/top-ups?{query}")
        assert browser.status == 200, page.text
        return ids(page.links)

    assert await listed("status=completed") == [first["id"]]
    assert await listed("status=pending&stage=&reference=") == [second["id"]]
    assert await listed("stage=requested") == [second["id"]]
    assert await listed("reference=A-1") == [first["id"]]
    assert await listed(f"from={today}&until={today}") == [second["id"], first["id"]]
    assert await listed(f"from={today + timedelta(days=1)}") == []
    assert await listed(f"until={today - timedelta(days=1)}") == []
    page = await browser.get("/console/top-ups?status=completed&reference=A-1")
    assert "/console/top-ups.csv?status=completed&reference=A-1" in page.links
    assert "None fit these filters." in (await browser.get("/console/top-ups?status=failed")).text


def test_days_are_the_readers() -> None:
    query = list_query.PaymentQuery.model_validate({"from": "2026-11-21", "until": "2026-11-21"})
    found = query.filters(ZoneInfo("Africa/Nairobi"))
    assert str(found.created_from) == "2026-11-20 21:00:00+00:00"
    assert str(found.created_before) == "2026-11-21 21:00:00+00:00"


@pytest.mark.parametrize("query", [
    "status=tea", "stage=%00", "stage=A", "phone=254712345678", "from=yesterday", "from=0001-01-01", "until=9999-12-31",
    "reference=%0A", "reference=" + "x" * 65, "partner=prt_1", "cursor=x", "cursor=1", "limit=9",
])  # fmt: skip
async def test_what_is_no_filter_is_refused(street: Street, query: str) -> None:
    browser = await street.signed_in("top-ups:read")
    page = await browser.get(f"/console/top-ups?{query}")
    assert browser.status == 422
    assert "cannot be read" in page.text


async def test_pages_follow_each_other_without_a_count(
    door: Door, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payment_list, "PAGE", 2)
    partner_id = await rich_lender(door)
    made = [(await say(door.admin, "/top-ups", {**TOP_UP, "partner_id": partner_id})).json()["id"] for _ in range(5)]
    browser = await street.signed_in("top-ups:read")
    seen: list[str] = []
    path = "/console/top-ups?status=pending"
    for _ in range(3):
        page = await browser.get(path)
        seen += ids(page.links)
        path = next((link for link in page.links if "cursor=" in link), "")
        assert not path or "status=pending" in path
    assert seen == made[::-1]
    assert path == ""


async def test_a_file_holds_all_rows_and_no_formula(
    door: Door, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payment_list, "_CSV_PAGE", 2)
    partner_id = await rich_lender(door)
    made = [(await say(door.admin, "/collections", {**COLLECT, "partner_id": partner_id})).json() for _ in range(5)]
    async with door.database.transaction() as session:
        await saga_rows.change(session, made[0]["workflow_id"], account_ref='=HYPERLINK("http://evil")')
    browser = await street.signed_in("collections:read")
    await browser.get("/console/collections.csv")
    assert browser.answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(browser.answer.text)))
    assert [row["id"] for row in rows] == [row["id"] for row in made[::-1]]
    assert {row["amount"] for row in rows} == {"500.00"}
    assert rows[-1]["subject"].startswith("'=")
    assert "254712345678" not in browser.answer.text


async def test_no_page_shows_a_whole_phone_number(door: Door, street: Street) -> None:
    partner_id = await rich_lender(door)
    row = (await say(door.admin, "/collections", {**COLLECT, "partner_id": partner_id})).json()
    browser = await street.signed_in("collections:read")
    for path in ("/console/collections", f"/console/collections/{row['id']}"):
        page = await browser.get(path)
        assert "•••••678" in page.text
        assert "712345678" not in page.html
