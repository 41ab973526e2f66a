"""One payment's page, of every kind: where its money is, what may be done, and nothing offered that would be refused."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import CheckConstraint

from api.console import kinds_shown
from api.console.offers import acts_of
from api.console.wording import texts
from api.http.auth import principal_of_person
from api.saga.positions import position_of
from core.clock import utc_now
from models.kinds import KINDS, SagaKind, named
from models.messages.saga.status import Offer, SagaStatus
from models.tables.platform.security import Person
from models.tables.saga.payout_attempt import PayoutAttempt
from store.platform import exchanges
from store.saga import saga_rows, timeline
from tests.api.conftest import Door
from tests.api.console.conftest import Street
from tests.api.console.test_payment_list import every_kind, one_of
from tests.api.money import TOP_UP, rich_lender, say

OUT, IN, FLOAT = named("loan-disbursement"), named("customer-collection"), named("float-purchase")


@dataclass
class Row:
    stage: str
    ended_at: object | None = None


@dataclass
class Moved:
    state: str


@pytest.mark.parametrize(
    ("kind", "stage", "states", "ended", "arrived", "position"),
    [
        (OUT, "requested", [], False, False, "sender"),
        (OUT, "paying", ["sending"], False, False, "unknown"),
        (OUT, "paying", ["not_sent"], False, False, "sender"),
        (OUT, "paying", ["accepted"], False, False, "unknown"),
        (OUT, "in_review", ["failed", "unknown"], False, False, "unknown"),
        (OUT, "paying", ["failed"], False, False, "sender"),
        (OUT, "paying", ["paid", "failed"], False, False, "on_the_way"),
        (OUT, "paying", ["paid", "sending"], False, False, "unknown"),
        (OUT, "posting", ["paid"], False, False, "receiver"),
        (OUT, "post_review", ["paid"], False, False, "receiver"),
        (OUT, "completed", ["paid"], True, False, "receiver"),
        (OUT, "failed", ["failed", "void"], True, False, "sender"),
        (FLOAT, "buying", ["paid"], False, False, "on_the_way"),
        (FLOAT, "failed", ["paid", "failed", "paid"], True, False, "sender"),
        (IN, "prompting", ["asked"], False, False, "unknown"),
        (IN, "waiting_money", [], False, False, "sender"),
        (IN, "waiting_account", [], False, True, "receiver"),
        (IN, "merged", ["paid"], True, False, "receiver"),
        (IN, "returned", [], True, True, "sender"),
        (IN, "failed", ["failed"], True, False, "sender"),
    ],
)
def test_where_the_money_is_follows_from_what_is_known(
    kind: SagaKind, stage: str, states: list[str], ended: bool, arrived: bool, position: str
) -> None:
    row = Row(stage, utc_now() if ended else None)
    assert position_of(kind, row, [Moved(state) for state in states], arrived=arrived) == position


def test_every_state_of_an_attempt_is_somewhere() -> None:
    (check,) = [
        str(one.sqltext)
        for one in PayoutAttempt.__table_args__
        if isinstance(one, CheckConstraint) and str(one.sqltext).startswith("state")
    ]
    states = re.findall(r"'(\w+)'", check)
    assert len(states) == 7
    where = {state: position_of(OUT, Row("paying"), [Moved(state)]) for state in states}
    assert {state for state, place in where.items() if place == "sender"} == {"not_sent", "failed", "void"}


# ---------------------------------------------------------------------------------------------- what may be done


def status(*offers: Offer, **more: Any) -> SagaStatus:
    return SagaStatus(stage="in_review", since=utc_now(), offers=offers, **more)


async def offered(street: Street, *scopes: str, said: SagaStatus | None, **row: Any) -> dict[str, str | None]:
    browser = await street.signed_in(*scopes)
    async with street.door.database.transaction() as session:
        person = await session.get_one(Person, browser.person_id)

    class Someone:
        principal = principal_of_person("ses_1", person)

        def may(self, kind: SagaKind, verb: Any) -> bool:
            return self.principal.may(kind.scope(verb))

    living = OUT.row_class.model_construct(**({"stage": "in_review", "ended_at": None} | row))
    proposers = [person.id] if said and said.proposal else []
    found = acts_of(Someone(), OUT, living, said, proposers)  # type: ignore[arg-type]
    return {act.word: act.refused for act in (*found.commands, *found.decisions)}


async def test_only_what_the_saga_takes_is_offered(street: Street) -> None:
    said = status(
        Offer(word="retry"), Offer(word="cancel", refused="Money may have moved."), Offer(word="paid"),
        Offer(word="not_paid", refused="Ask first.", two_people=True),
    )  # fmt: skip
    all_scopes = ("disbursements:read", "disbursements:write", "disbursements:resolve")
    assert await offered(street, *all_scopes, said=said) == {
        "retry": None, "cancel": "Money may have moved.", "paid": None, "not_paid": "Ask first.",
    }  # fmt: skip
    assert await offered(street, *all_scopes, said=None) == {"retry": "refused.silent", "cancel": "refused.silent"}
    ended = await offered(street, *all_scopes, said=None, ended_at=utc_now(), stage="failed")
    assert set(ended.values()) == {"refused.ended"}
    old = SagaStatus(stage="in_review", since=utc_now())
    assert set((await offered(street, *all_scopes, said=old)).values()) == {"refused.old_worker"}


async def test_nobody_is_offered_what_their_scopes_forbid(street: Street) -> None:
    said = status(Offer(word="retry"), Offer(word="cancel"), Offer(word="paid"))
    assert set((await offered(street, "disbursements:read", said=said)).values()) == {"refused.scope"}
    writes = await offered(street, "disbursements:write", said=said)
    assert (writes["retry"], writes["paid"]) == (None, "refused.scope")
    decides = await offered(street, "disbursements:resolve", said=said)
    assert (decides["retry"], decides["paid"]) == ("refused.scope", None)


async def test_whoever_proposed_is_not_offered_to_agree(street: Street) -> None:
    proposal = {
        "decision_id": "dec_1",
        "request_id": "apr_1",
        "decision": "not_paid",
        "evidence": "seen",
        "person_id": "psn_1",
    }
    said = status(Offer(word="approve"), Offer(word="decline"), proposal=proposal)
    found = await offered(street, "disbursements:resolve", said=said)
    assert (found["approve"], found["decline"]) == ("refused.four_eyes", None)


# ----------------------------------------------------------------------------------------------------- the page


@every_kind
async def test_every_kind_has_its_page_with_all_tabs(door: Door, street: Street, kind: SagaKind) -> None:
    row = await one_of(door, kind, await rich_lender(door), client_reference="mine 7")
    async with door.database.transaction() as session:
        await timeline.write(session, row["workflow_id"], "k1", "The provider says <script>alert(1)</script>.")
        await exchanges.add(session, {
            "provider": "daraja", "operation": "b2c", "workflow_id": row["workflow_id"], "method": "POST", "url": "/x",
            "request": {"Amount": "<img src=x>"}, "response": {}, "status_code": 200, "outcome": "ok", "duration_ms": 3,
            "started_at": utc_now(),
        })  # fmt: skip
    browser = await street.signed_in(kind.scope("read"))
    page = await browser.get(f"/console{kind.path}/{row['id']}")
    assert browser.status == 200, page.text
    assert "<script>alert(1)</script>" in page.text
    assert "mine 7" in page.text
    assert "It has not started yet." in page.text
    for tab, said in (("calls", "<img src=x>"), ("bookings", ""), ("messages", ""), ("decisions", ".create")):
        page = await browser.get(f"/console{kind.path}/{row['id']}?tab={tab}")
        assert browser.status == 200, page.text
        assert said in page.text
        assert "<img src=x>" not in page.html
    for wrong in ("tab=tea", "before=x", "more=1", "done=%00"):
        await browser.get(f"/console{kind.path}/{row['id']}?{wrong}")
        assert browser.status == 422
    missing = f"{kind.id_prefix}_{'0' * 26}"
    await browser.get(f"/console{kind.path}/{missing}")
    assert browser.status == 404
    await browser.get(f"/console{kind.path}/x")
    assert browser.status == 422


async def test_the_part_that_moves_on_says_when_the_rest_is_out_of_date(door: Door, street: Street) -> None:
    partner_id = await rich_lender(door)
    row = (await say(door.admin, "/top-ups", {**TOP_UP, "partner_id": partner_id})).json()
    path = f"/console/top-ups/{row['id']}"
    browser = await street.signed_in("top-ups:read")
    assert f'hx-get="{path}/now?stage=requested"' in (await browser.get(path)).html
    same = await browser.get(f"{path}/now?stage=requested")
    assert "moved on" not in same.text
    assert "<html" not in same.html
    async with door.database.transaction() as session:
        await saga_rows.change(session, row["workflow_id"], stage="completed", ended=True)
    later = await browser.get(f"{path}/now?stage=requested")
    assert "moved on" in later.text
    assert "hx-get" not in later.html
    await browser.post("/console/sign-out")
    await browser.get(f"{path}/now?stage=requested", **{"HX-Request": "true"})
    assert browser.answer.headers["hx-redirect"] == "/console/sign-in"


@pytest.mark.parametrize("word", ["retry", "cancel", "decide"])
async def test_an_act_needs_its_scope_also_where_no_button_was(door: Door, street: Street, word: str) -> None:
    partner_id = await rich_lender(door)
    row = (await say(door.admin, "/top-ups", {**TOP_UP, "partner_id": partner_id})).json()
    browser = await street.signed_in("top-ups:read", *(["top-ups:resolve"] if word != "decide" else ["top-ups:write"]))
    fields = {"key": "frm_" + "0" * 26} | ({"decision": "returned", "evidence": "seen it"} if word == "decide" else {})
    page = await browser.post(f"/console/top-ups/{row['id']}/{word}", **fields)
    assert browser.status == 403
    assert "scope" in page.text
    assert [one for one in await door.audit(f"top_ups.{word}") if one.action.endswith(word)] == []


async def test_somebody_of_a_suspended_lender_looks_and_does_nothing(door: Door, street: Street) -> None:
    partner_id = await rich_lender(door)
    row = (await say(door.admin, "/top-ups", {**TOP_UP, "partner_id": partner_id})).json()
    browser = await street.signed_in("top-ups:read", "top-ups:write", partner_id=partner_id)
    assert (await door.admin.patch(f"/api/v1/partners/{partner_id}", json={"status": "suspended"})).status_code == 200
    path = f"/console/top-ups/{row['id']}"
    await browser.get(path)
    assert browser.status == 200
    page = await browser.post(f"{path}/cancel", key="frm_" + "0" * 26)
    assert (browser.status, "suspended" in page.text) == (403, True)


def test_all_stages_of_all_kinds_have_words() -> None:
    known = texts("en")
    assert [stage for kind in KINDS for stage in kinds_shown.stages_of(kind) if f"stages.{stage}" not in known] == []
    assert [kind.resource for kind in KINDS if f"kinds.{kind.resource}" not in known] == []
