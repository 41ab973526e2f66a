"""Many payments at once, from a list's boxes: looked at first, done once, followed, each lender's own alone."""

import re

import pytest

from core.ids import new_id
from models import kinds
from models.tables.saga.bulk_action import BulkAction
from tests.api.conftest import Door
from tests.api.console.conftest import Street
from tests.api.console.test_payment_list import one_of
from tests.api.money import rich_lender
from tests.support.house import House
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually

HERE = "/console/bulk-actions"
TOP_UPS = kinds.at("top-ups")
BOX = re.compile(r'<input type="checkbox" form="chosen" name="id" value="([a-z_0-9]+)"')
WANTED = {"kind": "top-ups", "command": "cancel"}


async def test_only_who_may_act_is_offered_boxes(door: Door, street: Street) -> None:
    row = await one_of(door, TOP_UPS, await rich_lender(door))
    writer = await street.signed_in("top-ups:read", "top-ups:write")
    assert BOX.findall((await writer.get("/console/top-ups")).html) == [row["id"]]
    reader = await street.signed_in("top-ups:read")
    page = await reader.get("/console/top-ups")
    assert BOX.findall(page.html) == []
    assert f"{HERE}/look" not in page.actions
    for path, more in ((f"{HERE}/look", {}), (HERE, {"key": new_id("frm"), "reason": "asked for"})):
        await reader.post(path, **WANTED, id=[row["id"]], **more)
        assert reader.status == 403
    assert await door.rows(BulkAction) == []


async def test_a_look_does_nothing_and_a_form_sent_twice_is_one_action(door: Door, street: Street) -> None:
    row = await one_of(door, TOP_UPS, await rich_lender(door))
    browser = await street.signed_in("top-ups:read", "top-ups:write")
    page = await browser.post(f"{HERE}/look", **WANTED, id=[row["id"]])
    assert "1 did not answer" in page.text  # nobody works behind this door
    assert await door.rows(BulkAction) == []
    form = WANTED | {"id": page.hidden["id"], "key": page.hidden["key"], "reason": "the lender asks for it"}
    await browser.post(HERE, **form)
    assert browser.status == 303
    first = browser.location
    await browser.post(HERE, **form)
    assert browser.location == first
    (action,) = await door.rows(BulkAction)
    assert (action.requested_by, action.total) == (browser.person_id, 1)
    page = await browser.get(first)
    assert "0 of 1" in page.text
    assert "the lender asks for it" in page.text
    assert f'hx-get="{first}/now"' in page.html
    assert first in (await browser.get(HERE)).links
    await browser.post(f"{first}/stop")
    assert "stopping" in (await browser.get(first)).text


async def test_lenders_see_and_stop_their_own_alone(door: Door, street: Street) -> None:
    mine, other = await rich_lender(door, "Mine"), await rich_lender(door, "Other")
    row, foreign = await one_of(door, TOP_UPS, mine), await one_of(door, TOP_UPS, other)
    scopes = ("top-ups:read", "top-ups:write")
    of_mine = await street.signed_in(*scopes, partner_id=mine)
    form = WANTED | {"key": new_id("frm"), "reason": "asked for"}
    await of_mine.post(HERE, **form, id=[row["id"], foreign["id"]])
    made = of_mine.location
    assert "or you may not know of it" in (await of_mine.get(made)).text
    of_other = await street.signed_in(*scopes, partner_id=other)
    for path in (made, f"{made}/now"):
        await of_other.get(path)
        assert of_other.status == 404
    await of_other.post(f"{made}/stop")
    assert of_other.status == 404
    assert made not in (await of_other.get(HERE)).links
    # With the very key of another's form it is an action of one's own.
    await of_other.post(HERE, **form, id=[foreign["id"]])
    assert of_other.location != made


@pytest.mark.parametrize(
    "wrong", [{"id": []}, {"id": ["x"]}, {"kind": "cases"}, {"command": "approve"}, {"reason": "\x00\x00\x00"},
              {"reason": " a "}, {"key": "k"}, {"more": "1"}]
)  # fmt: skip
async def test_what_is_malformed_is_refused(door: Door, street: Street, wrong: dict[str, object]) -> None:
    browser = await street.signed_in("admin")
    form = WANTED | {"id": [new_id("top")], "key": new_id("frm"), "reason": "asked for"} | wrong
    await browser.post(HERE, **form)
    assert browser.status == 422
    assert await door.rows(BulkAction) == []


async def test_a_stale_form_does_nothing(door: Door, street: Street) -> None:
    browser = await street.signed_in("admin")
    form = WANTED | {"id": [new_id("top")], "key": new_id("frm"), "reason": "asked for"}
    await browser.post(HERE, **form, csrf="another")
    assert browser.status == 403
    assert await door.rows(BulkAction) == []


async def test_what_the_list_chose_is_done_and_shown(house: House, desk: MoneyDesk, house_street: Street) -> None:
    rows = [await desk.until(await desk.top_up(f"{n}.00"), "waiting_money") for n in (2500, 2600)]
    await desk.cancel(rows[0])
    await desk.ended(rows[0])
    browser = await house_street.signed_in("top-ups:read", "top-ups:write")
    chosen = BOX.findall((await browser.get("/console/top-ups")).html)
    assert sorted(chosen) == sorted(row.id for row in rows)
    page = await browser.post(f"{HERE}/look", **WANTED, id=chosen)
    assert "1 would take it 1 would refuse" in page.text
    await browser.post(HERE, **WANTED, id=chosen, key=page.hidden["key"], reason="the lender asks for it")
    made = browser.location

    async def done() -> bool:
        return "2 of 2" in (await browser.get(f"{made}/now")).text

    await eventually(done)
    page = await browser.get(made)
    assert "taken: 1 refused: 1" in page.text
    assert "The saga has ended." in page.text
    assert "hx-get" not in page.attributes
    assert (await desk.ended(rows[1])).stage == "withdrawn"
