"""What needs two people: one proposes, another agrees, and whoever stands behind both keys is one."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.errors import Conflict
from core.ids import PAYOUT, new_id
from inbound.lending.loan_disbursement import start_disbursement
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.platform.approval import ApprovalRequest
from models.tables.platform.contact import Contact
from models.tables.platform.traffic import Notification
from store.platform import partners
from store.saga import payouts, saga_rows
from tests.api.conftest import Door
from tests.support.orders import payout_instruction, to_ask, to_send

EVE = {"name": "Eve", "phone": "+254711000999", "email": "eve@example.com", "role": "authorised"}
LOAN = 91


async def person(door: Door, partner_id: str | None = None, maker: httpx.AsyncClient | None = None) -> Any:
    """A key with everything that these acts need, of a person of its own."""
    name = new_id("nam")
    scopes = (
        ["partners:read", "partners:write", "disbursements:read", "disbursements:write"] if partner_id else ["admin"]
    )
    body = {"name": name, "new_person": name, "scopes": scopes, "partner_id": partner_id}
    made = await (maker or door.admin).post("/api/v1/keys", json=body)
    assert made.status_code == 201, made.text
    return door.visitor(made.json()["key"])


async def answer(visitor: httpx.AsyncClient, approval_id: str, verb: str = "approve") -> httpx.Response:
    body = {"reason": "nobody knows her"} if verb == "reject" else {}
    return await visitor.post(f"/api/v1/approvals/{approval_id}/{verb}", json=body)


async def counts(door: Door, partner_id: str) -> list[str]:
    async with door.database.transaction() as session:
        return [contact.name for contact in await partners.contacts(session, partner_id)]


async def first_contact(door: Door, partner_id: str) -> None:
    async with door.database.transaction() as session:
        session.add(
            Contact(
                id=new_id("cnt"), partner_id=partner_id, name="Grace", phone="+254711000222", role="authorised",
                language="sw",
            )
        )  # fmt: skip


async def test_who_adds_somebody_to_confirm_purchases_needs_a_second_person(door: Door) -> None:
    partner_id = await door.lender()
    await first_contact(door, partner_id)
    ann, bob = await person(door, partner_id), await person(door, partner_id)
    made = await ann.post(f"/api/v1/partners/{partner_id}/contacts", json=EVE)
    assert (made.status_code, made.json()["state"]) == (201, "proposed")
    approval_id = made.json()["approval_id"]
    again = await ann.post(f"/api/v1/partners/{partner_id}/contacts", json=EVE)
    assert (again.status_code, again.json()["approval_id"]) == (200, approval_id)
    assert await counts(door, partner_id) == ["Grace"]
    (told,) = [row for row in await door.rows(Notification) if row.event == "contact_proposed"]
    assert (told.recipient, "Eve" in told.text) == ("+254711000222", True)
    own = await answer(ann, approval_id)
    assert (own.status_code, own.json()["code"]) == (409, "four_eyes")
    assert await counts(door, partner_id) == ["Grace"]
    done = await answer(bob, approval_id)
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    assert sorted(await counts(door, partner_id)) == ["Eve", "Grace"]
    late = await answer(bob, approval_id)
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")
    assert [len(await door.audit(f"approvals.{act}")) for act in ("ask", "approve")] == [1, 1]


async def test_a_key_of_ones_own_making_is_no_second_person(door: Door) -> None:
    """Nor a key that a key of one's own making made; nor the same person's other key."""
    partner_id = await door.lender()
    ann = await person(door)
    minted = await person(door, maker=ann)
    of_minted = await person(door, maker=minted)
    theirs = await person(door, partner_id, maker=of_minted)
    me = (await ann.get("/api/v1/keys")).json()["items"]
    ann_id = next(key["person_id"] for key in me if key["makers"] == [] and key["created_by"] != "bootstrap")
    other = await door.admin.post("/api/v1/keys", json={"name": "ann's other", "scopes": ["admin"], "person": ann_id})
    made = await ann.post(f"/api/v1/partners/{partner_id}/contacts", json=EVE)
    for visitor in (ann, minted, of_minted, theirs, door.visitor(other.json()["key"])):
        refused = await answer(visitor, made.json()["approval_id"])
        assert (refused.status_code, refused.json()["code"]) == (409, "four_eyes")
    assert await counts(door, partner_id) == []
    stranger = await person(door)
    assert (await answer(stranger, made.json()["approval_id"])).status_code == 200


async def test_what_is_declined_removed_or_too_old_never_happens(door: Door) -> None:
    partner_id = await door.lender()
    ann, bob = await person(door, partner_id), await person(door, partner_id)
    path = f"/api/v1/partners/{partner_id}/contacts"
    first = (await ann.post(path, json=EVE)).json()
    assert (await answer(bob, first["approval_id"], "reject")).json()["state"] == "rejected"
    assert await door.rows(Contact) == []
    second = (await ann.post(path, json=EVE)).json()
    assert second["id"] != first["id"]
    assert (await ann.delete(f"{path}/{second['id']}")).status_code == 200
    assert (await answer(bob, second["approval_id"])).json()["code"] == "already_decided"
    third = (await ann.post(path, json=EVE)).json()
    async with door.database.transaction() as session:
        row = await session.get(ApprovalRequest, third["approval_id"])
        assert row is not None
        row.expires_at = row.created_at - timedelta(seconds=1)
        session.add(row)
    assert (await answer(bob, third["approval_id"])).json()["code"] == "expired"
    assert [p["state"] for p in (await bob.get("/api/v1/approvals?state=expired")).json()["items"]] == ["expired"]
    assert (await bob.get("/api/v1/approvals?state=open")).json()["items"] == []
    assert await counts(door, partner_id) == []
    fourth = (await ann.post(path, json=EVE)).json()
    assert fourth["approval_id"] != third["approval_id"]


async def test_proposals_are_seen_and_answered_by_their_own_partner_alone(door: Door) -> None:
    mine, other = await door.lender("Mine"), await door.lender("Other")
    ann, stranger = await person(door, mine), await person(door, other)
    made = (await ann.post(f"/api/v1/partners/{mine}/contacts", json=EVE)).json()
    assert (await stranger.get("/api/v1/approvals")).json()["items"] == []
    assert (await answer(stranger, made["approval_id"])).status_code == 404
    reader = await door.key("partners:read", partner_id=mine)
    assert (await reader.get("/api/v1/approvals")).json()["items"] == []
    assert (await answer(reader, made["approval_id"])).status_code == 404


async def ended_loan(door: Door, partner_id: str, *, sent: bool) -> Disbursement:
    """A disbursement that ended unpaid, whose payout was sent, or known to have stayed here."""
    started = await start_disbursement(
        door.client, door.database, partner_id=partner_id, loan_id=LOAN, source="api", requested_by="test"
    )
    leg_id = new_id(PAYOUT)
    instruction = payout_instruction(leg_id, partner_id, started.workflow_id)
    async with door.database.transaction() as session:
        if sent:
            await payouts.begin(session, to_send(instruction), account="600997")
            await payouts.finish(session, f"{leg_id}-a1", "failed", code="resolved_not_paid", detail="by two people")
        else:
            await payouts.fence(session, to_ask(instruction), account="600997")
        await saga_rows.change(session, started.workflow_id, ended=True, stage="failed", reason_code="x", reason="x")
        row = await session.get(Disbursement, started.disbursement_id)
    assert row is not None
    return row


async def test_a_loan_that_was_ever_sent_is_paid_anew_only_by_two_people(door: Door) -> None:
    partner_id = await door.lender()
    await ended_loan(door, partner_id, sent=True)
    ann, bob = await person(door, partner_id), await person(door, partner_id)
    silent = await ann.post("/api/v1/disbursements", json={"loan_id": LOAN})
    assert (silent.status_code, silent.json()["code"]) == (422, "evidence_missing")
    asked = {"loan_id": LOAN, "evidence": "The portal knows no payout to this client."}
    proposed = await ann.post("/api/v1/disbursements", json=asked)
    assert (proposed.status_code, proposed.json()["code"]) == (409, "second_person_needed")
    approval_id = proposed.json()["facts"]["approval_id"]
    assert (await ann.post("/api/v1/disbursements", json=asked)).json()["facts"]["approval_id"] == approval_id
    assert (await answer(ann, approval_id)).json()["code"] == "four_eyes"
    assert [row.round for row in await door.rows(Disbursement)] == [1]
    assert (await answer(bob, approval_id)).status_code == 200
    assert sorted(row.round for row in await door.rows(Disbursement)) == [1, 2]
    (made,) = [act for act in await door.audit("disbursements.create") if (act.after or {}).get("approval_id")]
    assert made.after["round"] == 2


async def test_an_agreement_to_pay_again_is_about_the_round_that_was_looked_at(door: Door) -> None:
    partner_id = await door.lender()
    first = await ended_loan(door, partner_id, sent=True)
    ann, bob = await person(door, partner_id), await person(door, partner_id)
    asked = {"loan_id": LOAN, "evidence": "The portal knows no payout to this client."}
    approval_id = (await ann.post("/api/v1/disbursements", json=asked)).json()["facts"]["approval_id"]
    async with door.database.transaction() as session:
        session.add(
            Disbursement(
                **{**first.model_dump(), "id": new_id("dsb"), "round": 2, "workflow_id": f"{first.workflow_id}.2"}
            )
        )
    assert (await answer(bob, approval_id)).json()["code"] == "superseded"
    assert len(await door.rows(Disbursement)) == 2


@pytest.mark.parametrize(
    ("source", "code"), [("poll", "ended_unpaid"), ("hook", "ended_unpaid"), ("api", "sent_before")]
)
async def test_nothing_pays_a_sent_loan_again_by_itself(door: Door, source: Any, code: str) -> None:
    partner_id = await door.lender()
    row = await ended_loan(door, partner_id, sent=True)
    with pytest.raises(Conflict) as refusal:
        await start_disbursement(
            door.client, door.database, partner_id=partner_id, loan_id=LOAN, source=source, requested_by="x"
        )
    assert refusal.value.code == code
    async with door.database.transaction() as session:
        row.stage, row.reason_code = "withdrawn", "loan_not_approved"  # from which a poll goes on by itself
        await session.merge(row)
    with pytest.raises(Conflict) as refusal:
        await start_disbursement(
            door.client, door.database, partner_id=partner_id, loan_id=LOAN, source=source, requested_by="x"
        )
    assert refusal.value.code == "sent_before"


async def test_a_loan_of_which_nothing_ever_left_needs_one_person(door: Door) -> None:
    partner_id = await door.lender()
    await ended_loan(door, partner_id, sent=False)
    again = await (await person(door, partner_id)).post("/api/v1/disbursements", json={"loan_id": LOAN})
    assert again.status_code == 202
    assert len(await door.audit("disbursements.create")) == 1
