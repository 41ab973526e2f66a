"""Requests for approval in the browser: seen whole before they are answered, and answered by people who are others."""

from datetime import timedelta
from typing import Any

import pytest

from core.ids import new_id
from models.tables.platform.approval import ApprovalDecision, ApprovalRequest
from models.tables.saga.decision import Decision
from tests.api.conftest import Door
from tests.api.console.conftest import Browser, Page, Street
from tests.api.operations.test_approval_policies import available
from tests.flows.test_approvals import asked as asked_by_saga
from tests.support.house import House
from tests.support.money_in import MoneyDesk

CREDITS = "wallets:credit"
LIST = "/console/approvals"


async def key_of(door: Door, browser: Browser, *scopes: str) -> Any:
    """A key of the same person."""
    body = {"name": new_id("nam"), "scopes": list(scopes), "person": browser.person_id}
    return door.visitor((await door.admin.post("/api/v1/keys", json=body)).json()["key"])


async def asked(door: Door, who: Browser, partner_id: str, amount: str = "500.00", reference: str = "FT-1") -> str:
    """A credit that this person asks for; the request's id."""
    body = {"amount": {"amount": amount, "currency": "KES"}, "reference": reference, "note": "slip of 21 November"}
    key = await key_of(door, who, CREDITS)
    made = await key.post(f"/api/v1/partners/{partner_id}/wallet/credits", json=body)
    assert made.status_code == 202, made.text
    return str(made.json()["id"])


async def request_of(door: Door, request_id: str) -> ApprovalRequest:
    (found,) = [row for row in await door.rows(ApprovalRequest) if row.id == request_id]
    assert isinstance(found, ApprovalRequest)
    return found


def requests_on(page: Page) -> list[str]:
    return [link.rpartition("/")[2] for link in page.links if link.startswith(f"{LIST}/apr_")]


async def reply(browser: Browser, request_id: str, verb: str, **fields: str) -> Page:
    page = await browser.get(f"{LIST}/{request_id}")
    return await browser.post(f"{LIST}/{request_id}/{verb}", **({"version": page.hidden["version"]} | fields))


async def test_another_person_sees_what_would_be_done_and_agrees(door: Door, street: Street) -> None:
    partner_id = await door.lender()
    ann, ben = await street.signed_in(CREDITS), await street.signed_in(CREDITS)
    request_id = await asked(door, ann, partner_id)
    page = await ben.get(f"{LIST}/{request_id}")
    for told in ("Money that is said to have arrived is booked into a wallet.", "KES 500.00", "FT-1", "slip of 21 November",
                 "Grace Njeri asked for it", "So many others must agree yet: 1", "Jaza Sacco", "Deadline"):  # fmt: skip
        assert told in page.text, told
    assert await available(door, partner_id) == "0.00"
    await ben.post(f"{LIST}/{request_id}/approve", version=page.hidden["version"], reason="Compared with the slip.")
    assert (ben.status, ben.location) == (303, f"{LIST}/{request_id}?done=approve")
    page = await ben.get(ben.location)
    assert "Your agreement is recorded." in page.text
    assert "Grace Njeri agreed in the console Compared with the slip." in page.text
    assert page.actions == ["/console/search", "/console/sign-out"]
    assert await available(door, partner_id) == "500.00"
    (given,) = await door.rows(ApprovalDecision)
    assert (given.person_id, given.via[:4], given.channel) == (ben.person_id, "ses_", "console")
    (act,) = await door.audit("approvals.approve")
    assert (act.actor[:4], act.person_id) == ("ses_", ben.person_id)


async def test_who_asked_is_told_why_they_cannot_agree_and_may_withdraw_it(door: Door, street: Street) -> None:
    partner_id = await door.lender()
    ann, _ = await street.signed_in(CREDITS), await street.signed_in(CREDITS)
    request_id = await asked(door, ann, partner_id)
    page = await ann.get(f"{LIST}/{request_id}")
    assert "You asked for it, or stand behind whoever did" in page.text
    assert f"{LIST}/{request_id}/approve" not in page.actions
    page = await reply(ann, request_id, "approve")
    assert (ann.status, "another person must agree" in page.text) == (409, True)
    assert await available(door, partner_id) == "0.00"
    await reply(ann, request_id, "reject", reason="Wrong slip.")
    assert ann.status == 303
    assert (await request_of(door, request_id)).state == "cancelled"
    assert "withdrawn" in (await ann.get(f"{LIST}/{request_id}")).text


async def test_who_would_profit_and_who_agreed_before_cannot_agree(door: Door, street: Street) -> None:
    partner_id = await door.lender()
    ann, ben, cat = [await street.signed_in(CREDITS) for _ in range(3)]
    request_id = await asked(door, ann, partner_id)
    async with door.database.transaction() as session:
        row = await session.get(ApprovalRequest, request_id)
        assert row is not None
        row.approvers, row.beneficiaries = 2, [cat.person_id]
        session.add(row)
    page = await cat.get(f"{LIST}/{request_id}")
    assert "You would profit from it" in page.text
    assert (await reply(cat, request_id, "approve"), cat.status)[1] == 409
    assert requests_on(await cat.get(LIST)) == []
    await reply(ben, request_id, "approve")
    assert ben.status == 303
    page = await ben.get(f"{LIST}/{request_id}")
    assert "You have agreed to it already." in page.text
    assert "So many others must agree yet: 1" in page.text
    assert (await reply(ben, request_id, "approve"), ben.status)[1] == 409
    assert requests_on(await ben.get(LIST)) == []
    assert (await request_of(door, request_id)).state == "open"
    assert await available(door, partner_id) == "0.00"


async def test_a_rejection_says_why_and_ends_it(door: Door, street: Street) -> None:
    partner_id = await door.lender()
    ann, ben = await street.signed_in(CREDITS), await street.signed_in(CREDITS)
    request_id = await asked(door, ann, partner_id)
    for too_little in ("", "x"):
        page = await reply(ben, request_id, "reject", reason=too_little)
        assert (ben.status, "reason" in page.text) == (422, True)
    await reply(ben, request_id, "reject", reason="The bank has no such line.")
    page = await ben.get(ben.location)
    assert "It will not happen." in page.text
    assert "Grace Njeri rejected it in the console The bank has no such line." in page.text
    await ben.post(f"{LIST}/{request_id}/approve", version="0" * 32)
    assert ben.status == 409
    assert await available(door, partner_id) == "0.00"


async def test_an_answer_to_another_content_than_was_seen_is_none(door: Door, street: Street) -> None:
    partner_id = await door.lender()
    ann, ben = await street.signed_in(CREDITS), await street.signed_in(CREDITS)
    request_id = await asked(door, ann, partner_id)
    page = await reply(ben, request_id, "approve", version="0" * 32)
    assert (ben.status, "has changed since you looked" in page.text) == (409, True)
    for wrong in ("", "x", "0" * 33):
        await reply(ben, request_id, "approve", version=wrong)
        assert ben.status == 422
    assert await door.rows(ApprovalDecision) == []


async def test_what_one_could_answer_comes_first_and_all_can_be_found(door: Door, street: Street) -> None:
    mine, other = await door.lender("Mine"), await door.lender("Other")
    ann, ben = await street.signed_in(CREDITS), await street.signed_in(CREDITS)
    first, second = await asked(door, ann, mine), await asked(door, ben, other, "70.00", "FT-2")
    assert requests_on(await ann.get(LIST)) == [second]
    assert requests_on(await ben.get(LIST)) == [first]
    assert requests_on(await ann.get(f"{LIST}?state=all")) == [second, first]
    await reply(ben, first, "reject", reason="Not ours.")
    shown = {
        "state=open": [second], "state=rejected": [first], "state=approved": [], f"state=all&partner={mine}": [first],
        "state=all&act=wallets.credit": [second, first], "state=all&act=contacts.authorise": [],
    }  # fmt: skip
    for query, wanted in shown.items():
        assert requests_on(await ann.get(f"{LIST}?{query}")) == wanted, query
    for wrong in ("state=tea", "act=Tea!", "phone=254712345678"):
        await ann.get(f"{LIST}?{wrong}")
        assert ann.status == 422, wrong
    assert requests_on(await ann.get("/console")) == [second]  # what needs attention leads here


async def test_an_act_is_shown_to_those_alone_who_could_answer_it(door: Door, street: Street) -> None:
    mine, other = await door.lender("Mine"), await door.lender("Other")
    ann, _ = await street.signed_in(CREDITS), await street.signed_in(CREDITS)
    request_id = await asked(door, ann, mine)
    of_mine = await street.signed_in("partners:write", CREDITS, partner_id=mine)
    of_other = await street.signed_in("partners:write", partner_id=other)
    reader = await street.signed_in("partners:write")
    for stranger in (of_mine, of_other, reader):
        assert requests_on(await stranger.get(f"{LIST}?state=all")) == []
        await stranger.get(f"{LIST}/{request_id}")
        assert stranger.status == 404
        for verb in ("approve", "reject"):
            await stranger.post(f"{LIST}/{request_id}/{verb}", version="0" * 32, reason="I want it.")
            assert stranger.status == 404
        await stranger.post(f"{LIST}/{request_id}/code")
        assert stranger.status == 404
    nobody = await street.signed_in("disbursements:read")
    page = await nobody.get(LIST)
    assert (nobody.status, LIST in page.links) == (403, False)


async def test_what_has_expired_is_answered_by_nobody(door: Door, street: Street) -> None:
    partner_id = await door.lender()
    ann, ben = await street.signed_in(CREDITS), await street.signed_in(CREDITS)
    request_id = await asked(door, ann, partner_id)
    version = (await ben.get(f"{LIST}/{request_id}")).hidden["version"]
    async with door.database.transaction() as session:
        row = await session.get(ApprovalRequest, request_id)
        assert row is not None
        row.expires_at = row.created_at - timedelta(seconds=1)
        session.add(row)
    assert requests_on(await ben.get(LIST)) == []
    page = await ben.post(f"{LIST}/{request_id}/approve", version=version)
    assert (ben.status, "Its time is over" in page.text) == (409, True)
    assert f"{LIST}/{request_id}/approve" not in page.actions


async def test_a_stranger_to_the_form_answers_nothing(door: Door, street: Street) -> None:
    partner_id = await door.lender()
    ann, ben = await street.signed_in(CREDITS), await street.signed_in(CREDITS)
    request_id = await asked(door, ann, partner_id)
    version = (await ben.get(f"{LIST}/{request_id}")).hidden["version"]
    for fields in ({"csrf": "x"}, {"csrf": ""}):
        await ben.post(f"{LIST}/{request_id}/approve", version=version, **fields)
        assert ben.status == 403
    assert (await request_of(door, request_id)).state == "open"


@pytest.mark.parametrize("language", ["en", "sw"])
async def test_a_request_is_shown_in_both_languages(door: Door, street: Street, language: str) -> None:
    partner_id = await door.lender()
    ann, ben = await street.signed_in(CREDITS), await street.signed_in(CREDITS, language=language)
    request_id = await asked(door, ann, partner_id)
    for path in (LIST, f"{LIST}?state=all", f"{LIST}/{request_id}", "/console"):
        await ben.get(path)
        assert ben.status == 200


async def test_a_sagas_proposal_is_agreed_to_here_and_it_goes_on(
    house: House, desk: MoneyDesk, house_street: Street
) -> None:
    row, request_id = await asked_by_saga(house, desk)
    ben = await house_street.signed_in("top-ups:read", "top-ups:resolve")
    page = await ben.get(f"{LIST}/{request_id}")
    assert f"/console/top-ups/{row.id}" in page.links
    assert "KES 2,500.00" in page.text
    page = await ben.post(f"{LIST}/{request_id}/code")
    assert (ben.status, "Your code, shown once" in page.text) == (200, True)
    assert "Your code" not in (await ben.get(f"{LIST}/{request_id}")).text
    await reply(ben, request_id, "approve", reason="Compared with the statement.")
    assert ben.status == 303
    row = await desk.ended(row)
    assert (row.stage, row.credited_minor) == ("completed", 250_000)
    (said,) = await house_street.door.rows(Decision)
    (given,) = await house_street.door.rows(ApprovalDecision)
    assert (given.person_id, given.channel, said.person_id != given.person_id) == (ben.person_id, "console", True)
