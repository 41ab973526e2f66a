"""The case desk in the browser: found, taken, given back, closed; decided by two people who are two."""

import pytest

from core.ids import new_id
from models.tables.platform.approval import ApprovalDecision
from models.tables.saga.case import Case
from models.tables.saga.decision import Decision
from tests.api.conftest import Door
from tests.api.console.conftest import Browser, Page, Street
from tests.api.operations.test_case_desk import opened
from tests.support.house import House
from tests.support.money_in import MoneyDesk

READS, DECIDES = "disbursements:read", "disbursements:resolve"


async def case_of(door: Door, case_id: str) -> Case:
    (found,) = [row for row in await door.rows(Case) if row.id == case_id]
    assert isinstance(found, Case)
    return found


def cases_on(page: Page) -> list[str]:
    return [link.rpartition("/")[2] for link in page.links if link.startswith("/console/cases/cas_")]


async def test_the_desk_shows_what_is_open_and_whose_it_is(door: Door, street: Street) -> None:
    mine, other = await door.lender("Mine"), await door.lender("Other")
    first = await opened(door, mine)
    second = await opened(door, other, "books_do_not_balance")
    ann = await street.signed_in(READS, DECIDES)
    page = await ann.get("/console/cases")
    assert cases_on(page) == [second, first]
    assert {"Mine", "Other"} <= set(page.text.split())
    await ann.post(f"/console/cases/{first}/take")
    assert ann.location == f"/console/cases/{first}?done=take"
    assert "The case is yours." in (await ann.get(ann.location)).text
    assert cases_on(await ann.get("/console/cases?owner=me")) == [first]
    assert cases_on(await ann.get("/console/cases?owner=nobody")) == [second]
    assert cases_on(await ann.get(f"/console/cases?owner={ann.person_id}")) == [first]
    assert cases_on(await ann.get("/console/cases?kind=books_do_not_balance")) == [second]
    assert cases_on(await ann.get(f"/console/cases?partner={mine}&state=all")) == [first]
    of_mine = await street.signed_in(READS, partner_id=mine)
    assert cases_on(await of_mine.get("/console/cases")) == [first]
    await of_mine.get(f"/console/cases/{second}")
    assert of_mine.status == 404
    await of_mine.get(f"/console/cases?partner={other}")
    assert of_mine.status == 404
    for wrong in ("state=tea", "kind=tea", "owner=key_1", "phone=254712345678"):
        await ann.get(f"/console/cases?{wrong}")
        assert ann.status == 422


async def test_a_case_is_one_persons_by_key_or_by_browser(door: Door, street: Street) -> None:
    """The same person takes it in a browser and gives it back by a key."""
    case_id = await opened(door, await door.lender())
    ann, ben = await street.signed_in(READS, DECIDES), await street.signed_in(READS, DECIDES)
    await ann.post(f"/console/cases/{case_id}/take")
    page = await ben.post(f"/console/cases/{case_id}/take")
    assert (ben.status, "Somebody else looks at it already." in page.text) == (409, True)
    assert f"/console/cases/{case_id}/give-back" not in (await ben.get(f"/console/cases/{case_id}")).actions
    await ben.post(f"/console/cases/{case_id}/give-back")
    assert ben.status == 409
    body = {"name": "ann", "scopes": [READS, DECIDES], "person": ann.person_id}
    key = (await door.admin.post("/api/v1/keys", json=body)).json()["key"]
    assert (await door.visitor(key).get("/api/v1/cases?owner=me")).json()["items"][0]["owner"] == ann.person_id
    assert (await door.visitor(key).post(f"/api/v1/cases/{case_id}/give-back")).status_code == 200
    (act,) = await door.audit("cases.take")
    assert (act.actor[:4], act.person_id) == ("ses_", ann.person_id)


async def test_a_case_is_closed_with_a_reason_and_by_whom_is_shown(door: Door, street: Street) -> None:
    case_id = await opened(door, await door.lender(), "books_do_not_balance")
    ann = await street.signed_in(READS, DECIDES)
    page = await ann.get(f"/console/cases/{case_id}")
    assert "No payment waits for a decision" in page.text
    await ann.post(f"/console/cases/{case_id}/close", reason="x")
    assert ann.status == 422
    assert (await case_of(door, case_id)).state == "open"
    await ann.post(f"/console/cases/{case_id}/close", reason="Checked on the portal.")
    page = await ann.get(ann.location)
    assert "Closed by Grace Njeri" in page.text
    assert "Checked on the portal." in page.text
    assert page.actions == ["/console/search", "/console/sign-out"]
    await ann.post(f"/console/cases/{case_id}/close", reason="Once more.")
    assert ann.status == 409


@pytest.mark.parametrize("act", ["take", "give-back", "act", "close"])
async def test_who_may_not_decide_does_nothing_at_the_desk(door: Door, street: Street, act: str) -> None:
    case_id = await opened(door, await door.lender(), actions=["paid", "retry"])
    reader = await street.signed_in(READS)
    page = await reader.get(f"/console/cases/{case_id}")
    assert page.actions == ["/console/search", "/console/sign-out"]
    fields = {"act": {"key": new_id("frm"), "decision": "retry"}, "close": {"reason": "seen it"}}.get(act, {})
    await reader.post(f"/console/cases/{case_id}/{act}", **fields)
    assert reader.status == 403
    assert (await case_of(door, case_id)).owner is None


async def decide(browser: Browser, path: str, decision: str, **more: str) -> Page:
    page = await browser.get(path)
    seen = {"proposal": page.hidden["proposal"]} if decision in ("approve", "decline") else {}
    target = f"{path}/act" if "/cases/" in path else f"{path}/decide"
    return await browser.post(target, key=page.hidden["key"], decision=decision, **{**seen, **more})


async def test_money_that_names_nobody_is_placed_by_two_people_in_browsers(
    house: House, desk: MoneyDesk, house_street: Street
) -> None:
    scopes = (READS, DECIDES, "top-ups:read", "top-ups:write", "top-ups:resolve")
    ann, ben = await house_street.signed_in(*scopes), await house_street.signed_in(*scopes)
    await desk.deposit("2500.00", "school fees")
    (row,) = await desk.wait_for_top_ups(1)
    row = await desk.until(row, "unallocated")
    (case,) = [one for one in await house_street.door.rows(Case) if one.workflow_id == row.workflow_id]
    path = f"/console/top-ups/{row.id}"
    page = await ann.get(path)
    assert "The money is with us" in page.text
    assert "KES 2,500.00" in page.text
    assert f"/console/cases/{case.id}" in page.links
    # Said with too little, it is refused, and what was typed is still there.
    page = await decide(ann, path, "allocate", evidence="x")
    assert ann.status == 422
    assert "evidence" in page.text
    page = await ann.post(f"{path}/cancel", key=page.hidden["key"])
    assert (ann.status, "Money may have moved already" in page.text) == (409, True)
    await decide(ann, path, "allocate", evidence="The lender's mail with the bank's slip.")
    assert ann.location == f"{path}?done=allocate"
    row = await desk.until(row, "approval")
    page = await ann.get(path)
    assert "You proposed it" in page.text
    assert "Grace Njeri proposes" in page.text
    page = await decide(ann, path, "approve", evidence="It is right.")
    assert ann.status == 409
    page = await ben.get(f"/console/cases/{case.id}")
    assert "The lender's mail with the bank's slip." in page.text
    page = await decide(ben, f"/console/cases/{case.id}", "approve", evidence="Compared with the slip.")
    assert ben.location == f"/console/cases/{case.id}?done=approve", page.text
    row = await desk.ended(row)
    assert (row.stage, row.credited_minor) == ("completed", 250_000)
    page = await ben.get(f"{path}?tab=decisions")
    assert "Compared with the slip." in page.text
    assert "KES 2,500.00" in (await ben.get(f"{path}?tab=bookings")).text
    made = [*await house_street.door.rows(Decision), *await house_street.door.rows(ApprovalDecision)]
    assert {one.person_id for one in made} == {ann.person_id, ben.person_id}
    assert all(one.via.startswith("ses_") for one in made)


async def test_a_form_that_is_sent_twice_is_done_once(house: House, desk: MoneyDesk, house_street: Street) -> None:
    row = await desk.top_up("2500.00")
    row = await desk.until(row, "waiting_money")
    ann = await house_street.signed_in("top-ups:read", "top-ups:write")
    path = f"/console/top-ups/{row.id}"
    page = await ann.get(path)
    assert f"{path}/cancel" in page.actions
    key = page.hidden["key"]
    for _ in range(2):
        await ann.post(f"{path}/cancel", key=key)
        assert ann.status in (303, 409)
    row = await desk.ended(row)
    assert row.stage == "withdrawn"
    (act, *_) = await house_street.door.audit("top_ups.cancel_request")
    assert (act.actor[:4], act.person_id) == ("ses_", ann.person_id)
    assert "The payment has ended." in (await ann.get(path)).text
