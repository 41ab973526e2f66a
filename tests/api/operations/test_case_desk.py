"""The desk at the front door: a case is taken by one person, acted on by evidence, and closed by its saga."""

from typing import Any

import httpx
import pytest

from inbound.lending.loan_disbursement import Started
from models import kinds
from models.messages.saga.cases import KINDS
from models.tables.platform.security import AuditEntry
from models.tables.saga.case import Case
from models.tables.saga.decision import Decision
from store.lending import loan_products
from store.saga import cases
from tests.api.conftest import Door
from tests.api.lending.test_loan_disbursement import PARKED
from tests.support.house import House
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually

DESK = "/api/v1/cases"


async def opened(door: Door, partner_id: str | None, kind: str = "payout_unknown", **more: Any) -> str:
    async with door.database.transaction() as session:
        assert await cases.open_case(
            session, key=kind + str(more), kind=kind, summary="silence", evidence={}, partner_id=partner_id, **more
        )
        return (await cases.page(session, limit=1))[0].id


async def in_review(house: House) -> tuple[Started, dict[str, Any]]:
    """A payout that M-Pesa made and told nobody of; its saga and its case."""
    await house.fault("daraja.b2c.result", "lose")
    await house.fault("daraja.status.answer", "lose", times=2)
    started = await house.start(await house.approve_loan(), PARKED)
    await house.until_stage(started, "in_review")
    return started, await open_case(house, started.workflow_id)


async def open_case(house: House, workflow_id: str) -> dict[str, Any]:
    async def there() -> Case | None:
        async with house.database.transaction() as session:
            return next(iter(await cases.page(session, state="open", workflow_id=workflow_id)), None)

    found: Case = await eventually(there)
    return found.model_dump()


async def act(admin: httpx.AsyncClient, case_id: str, action: str, **more: Any) -> tuple[int, str]:
    answer = await admin.post(f"{DESK}/{case_id}/act", json={"action": action, **more})
    return answer.status_code, answer.json().get("code", "")


# -------------------------------------------------------------------------------------------------- without any saga


async def test_the_list_is_filtered_by_kind_owner_and_state(door: Door) -> None:
    partner_id = await door.lender()
    mine = await opened(door, partner_id)
    await opened(door, partner_id, "books_do_not_balance")
    assert (await door.admin.post(f"{DESK}/{mine}/take")).status_code == 200

    async def kinds(query: str) -> list[str]:
        return [row["kind"] for row in (await door.admin.get(f"{DESK}?{query}")).json()["items"]]

    assert await kinds("owner=me") == ["payout_unknown"]
    assert await kinds("owner=nobody&state=open") == ["books_do_not_balance"]
    assert await kinds("kind=payout_unknown") == ["payout_unknown"]
    assert await kinds("kind=payout_unknown&owner=nobody") == []
    for wrong in ("kind=tea", "owner=ann"):
        assert (await door.admin.get(f"{DESK}?{wrong}")).status_code == 422


async def test_a_case_is_taken_by_one_person_and_given_back_by_the_same_or_an_admin(door: Door) -> None:
    case_id = await opened(door, await door.lender())
    ann, ben = [await door.key("disbursements:read", "disbursements:resolve") for _ in range(2)]
    taken = await ann.post(f"{DESK}/{case_id}/take")
    assert (taken.status_code, taken.json()["owner"][:4]) == (200, "psn_")
    other = await ben.post(f"{DESK}/{case_id}/take")
    assert (other.status_code, other.json()["code"]) == (409, "case_taken")
    assert other.json()["facts"]["owner"] == taken.json()["owner"]
    refused = await ben.post(f"{DESK}/{case_id}/give-back")
    assert (refused.status_code, refused.json()["code"]) == (409, "case_not_taken")
    assert (await ann.post(f"{DESK}/{case_id}/give-back")).json()["owner"] is None
    await ben.post(f"{DESK}/{case_id}/take")
    assert (await door.admin.post(f"{DESK}/{case_id}/give-back")).json()["owner"] is None
    (first, second) = await door.audit("cases.take")
    assert (first.before["owner"], first.after["owner"]) == (None, taken.json()["owner"])
    assert second.actor != first.actor
    assert len(await door.audit("cases.give_back")) == 2


async def test_a_closed_case_is_neither_taken_nor_acted_on(door: Door) -> None:
    case_id = await opened(door, await door.lender())
    await door.admin.post(f"{DESK}/{case_id}/close", json={"reason": "seen on the portal"})
    for path, body in (("take", {}), ("give-back", {}), ("act", {"action": "retry"})):
        answer = await door.admin.post(f"{DESK}/{case_id}/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "case_closed"), path


async def test_a_case_without_a_saga_can_only_be_closed_with_a_reason(door: Door) -> None:
    case_id = await opened(door, None, "books_do_not_balance")
    shown = (await door.admin.get(f"{DESK}/{case_id}")).json()
    assert (shown["saga"], shown["now"], shown["events"], shown["actions"]) == (None, None, [], [])
    assert shown["means"] == KINDS["books_do_not_balance"].means
    assert await act(door.admin, case_id, "paid", evidence="seen", receipt="UKL4X7QW2D") == (409, "no_saga")
    closed = await door.admin.post(f"{DESK}/{case_id}/close", json={"reason": "explained in the ledger"})
    assert closed.json()["resolution"] == "explained in the ledger"


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({}, "action", "missing"),
        ({"action": "maybe"}, "action", "literal_error"),
        ({"action": "paid", "receipt": "UKL4X7QW2D"}, "evidence", "evidence_missing"),
        ({"action": "not_paid", "evidence": "seen", "receipt": "UKL4X7QW2D"}, "receipt", "not_for_this_action"),
        ({"action": "retry", "transaction_id": 5}, "transaction_id", "not_for_this_action"),
        ({"action": "paid", "evidence": "seen", "receipt": "U K"}, "receipt", "string_pattern_mismatch"),
        ({"action": "allocate", "evidence": "seen", "allocations": [{"kind": "tea"}]}, "allocations.0.kind",
         "literal_error"),
        ({"action": "paid", "evidence": "seen", "why": "x"}, "why", "extra_forbidden"),
    ],
)  # fmt: skip
async def test_an_act_that_says_too_little_or_too_much_names_the_field(
    door: Door, body: dict[str, Any], field: str, rule: str
) -> None:
    answer = await door.admin.post(f"{DESK}/{await opened(door, None)}/act", json=body)
    assert answer.status_code == 422, answer.text
    assert (field, rule) in [(error["field"], error["rule"]) for error in answer.json()["errors"]]


async def test_each_kind_of_saga_needs_the_scope_of_its_own(door: Door) -> None:
    """Who may decide about payouts may not say that a top-up came which did not."""
    partner_id = await door.lender()
    case_id = await opened(door, partner_id, "credit_unallocated", workflow_id="wallet-top-up/top_1")
    payer = await door.key("disbursements:read", "disbursements:resolve")
    for path, body in (("take", {}), ("act", {"action": "retry"}), ("close", {"reason": "not mine"})):
        answer = await payer.post(f"{DESK}/{case_id}/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), path
        assert answer.json()["facts"] == {"scope": "top-ups:resolve"}


async def test_another_partners_case_does_not_exist(door: Door) -> None:
    mine, other = await door.lender("Mine"), await door.lender("Other")
    foreign = await opened(door, other)
    visitor = await door.key("disbursements:read", "disbursements:resolve", partner_id=mine)
    answers = [await visitor.get(f"{DESK}/{foreign}")]
    for path, body in (("take", {}), ("give-back", {}), ("act", {"action": "retry"})):
        answers.append(await visitor.post(f"{DESK}/{foreign}/{path}", json=body))
    assert {answer.status_code for answer in answers} == {404}


def test_every_kind_of_saga_has_a_page_in_the_api() -> None:
    from tests.api.http.test_openapi import DOCUMENT

    for kind in kinds.KINDS:
        assert any(path.startswith(f"/api/v1/{kind.resource}/{{") and "get" in methods
                   for path, methods in DOCUMENT["paths"].items()), kind.resource  # fmt: skip


# ----------------------------------------------------------------------------------------------------- whole house


async def test_a_case_shows_why_and_takes_only_what_its_saga_takes(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    _, first = await house.disburse("900.00")
    started, case = await in_review(house)
    shown = (await house_admin.get(f"{DESK}/{case['id']}")).json()
    assert shown["actions"] == ["paid", "not_paid", "approve", "decline", "retry"]
    assert shown["saga"] == {
        "kind": "loan-disbursement", "id": started.disbursement_id, "stage": "in_review", "ended": False,
        "href": f"/api/v1/disbursements/{started.disbursement_id}",
    }  # fmt: skip
    assert (await house_admin.get(shown["saga"]["href"])).status_code == 200
    assert shown["now"]["waiting_for"]
    assert shown["evidence"]["reference"].endswith("-a1")
    assert [event["key"] for event in shown["events"]][-1] == f"{shown['evidence']['reference']}:review"
    assert "254712345678" not in str(shown)

    said = {"evidence": "portal, line 14: completed"}
    assert await act(house_admin, case["id"], "posted", **said) == (409, "action_not_allowed")
    assert await act(house_admin, case["id"], "paid", **said) == (422, "receipt_missing")
    assert await act(house_admin, case["id"], "paid", receipt=first.receipts[0], **said) == (409, "receipt_taken")
    assert (await house.row(started)).stage == "in_review"

    receipt = next(p["receipt"] for p in await house.payouts() if p["receipt"] != first.receipts[0])
    key = {"Idempotency-Key": "act-1"}
    body = {"action": "paid", "receipt": receipt, **said}
    acted = await house_admin.post(f"{DESK}/{case['id']}/act", json=body, headers=key)
    assert (acted.status_code, acted.json()["stage"]) == (200, "in_review")
    again = await house_admin.post(f"{DESK}/{case['id']}/act", json=body, headers=key)
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (200, acted.json(), "true")
    assert (await house.result(started)).receipts == (receipt,)

    closed = (await house_admin.get(f"{DESK}/{case['id']}")).json()
    assert (closed["state"], closed["closed_by"], closed["saga"]["ended"]) == ("closed", "saga", True)
    assert await act(house_admin, case["id"], "retry") == (409, "case_closed")
    await assert_recorded(house, case["id"], receipt)


async def assert_recorded(house: House, case_id: str, receipt: str) -> None:
    from sqlmodel import select

    async with house.database.transaction() as session:
        entries = list(await session.exec(select(AuditEntry).where(AuditEntry.subject == case_id)))
    assert [entry.action for entry in entries] == ["cases.act", "cases.act.refused", "cases.act"]
    assert entries[1].after == {"code": "receipt_missing"}
    assert entries[2].before["stage"] == "in_review"
    said = {name: value for name, value in entries[2].after.items() if name != "decision_id"}
    assert said == {"decision": "paid", "evidence": "portal, line 14: completed", "receipt": receipt}
    async with house.database.transaction() as session:
        decision = await session.get(Decision, entries[2].after["decision_id"])
    assert decision is not None
    assert (decision.via, decision.facts) == (entries[2].actor, {"receipt": receipt})


async def test_retry_from_the_desk_asks_the_provider(house: House, house_admin: httpx.AsyncClient) -> None:
    await house.fault("daraja.b2c.result", "lose")
    await house.fault("daraja.status.answer", "lose")
    started = await house.start(await house.approve_loan(), PARKED)
    await house.until_stage(started, "in_review")
    case = await open_case(house, started.workflow_id)
    assert (await act(house_admin, case["id"], "retry"))[0] == 200
    assert (await house.result(started)).ending == "completed"


async def test_a_posting_that_fineract_refuses_is_booked_by_hand_from_the_desk(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    await house.fault("fineract.disburse", "refuse", times=1000)
    started = await house.start(await house.approve_loan())
    await house.until_stage(started, "post_review")
    case = await open_case(house, started.workflow_id)
    assert (case["kind"], case["actions"]) == ("post_failed", ["posted", "retry"])
    assert (await act(house_admin, case["id"], "posted", evidence="booked by hand", transaction_id=77))[0] == 200
    result = await house.result(started)
    assert (result.ending, result.transaction_id) == ("completed", 77)


async def test_whose_credit_it_is_one_person_says_and_another_agrees(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    desk = MoneyDesk(house)
    await desk.deposit("2500.00", "no code at all")
    (row,) = await desk.wait_for_top_ups(1)
    await desk.until(row, "unallocated")
    case = await open_case(house, row.workflow_id)
    body = {"name": "second", "new_person": "Second", "scopes": ["disbursements:read", "top-ups:resolve"]}
    key = (await house_admin.post("/api/v1/keys", json=body)).json()["key"]
    said = {"evidence": "the bank's advice names the lender"}
    assert (await act(house_admin, case["id"], "allocate", **said))[0] == 200
    assert await act(house_admin, case["id"], "approve", **said) == (409, "four_eyes")
    async with httpx.AsyncClient(
        verify=False, base_url=house.api_url, headers={"Authorization": f"Bearer {key}"}
    ) as second:
        # Declined, proposed anew in the same words, agreed to: three different decisions.
        assert (await act(second, case["id"], "decline", **said))[0] == 200
        assert (await act(house_admin, case["id"], "allocate", **said))[0] == 200
        assert (await act(second, case["id"], "approve", **said))[0] == 200
    assert (await desk.ended(row)).stage == "completed"
    assert (await house_admin.get(f"{DESK}/{case['id']}")).json()["state"] == "closed"


async def test_a_payment_without_an_account_is_placed_from_the_desk(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    desk = MoneyDesk(house)
    loan = await desk.loan()
    await house.fault("daraja.c2b.validation", "skip")
    paid = await desk.paybill("1500", "999999999")
    (row,) = await desk.wait_for_collections(1)
    await desk.until(row, "waiting_account")
    case = await open_case(house, row.workflow_id)
    said = {"evidence": "the customer called"}
    assert await act(house_admin, case["id"], "allocate", **said) == (422, "allocations_missing")
    part = {"kind": "loan", "account": loan["accountNo"], "amount": {"amount": "1500.00", "currency": "KES"}}
    less = part | {"amount": {"amount": "1499.99", "currency": "KES"}}
    assert await act(house_admin, case["id"], "allocate", allocations=[less], **said) == (422, "allocation_sum")
    assert (await act(house_admin, case["id"], "allocate", allocations=[part], **said))[0] == 200
    assert (await desk.of_receipt(paid["receipt"])).stage == "completed"
    assert len(await desk.repayments(loan)) == 1


async def test_the_case_of_a_split_loans_next_part_replaces_the_one_before(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    """A decision about the second part must not be made under the evidence of the first."""

    async with house.database.transaction() as session:
        product = await loan_products.get(session, house.partner_id, 1)
        assert product is not None
        product.max_minor, product.above_maximum = 500_000, "split"
        session.add(product)
    await house.fault("daraja.b2c.result", "lose", times=2)
    await house.fault("daraja.status.answer", "lose", times=50)
    started = await house.start(await house.approve_loan("10000.00"), PARKED)
    await house.until_stage(started, "in_review")
    first = await open_case(house, started.workflow_id)
    receipts = [payout["receipt"] for payout in await house.payouts()]
    said = {"evidence": "portal, line 14"}
    assert (await act(house_admin, first["id"], "paid", receipt=receipts[0], **said))[0] == 200

    async def second_case() -> dict[str, Any] | None:
        case = await open_case(house, started.workflow_id)
        return case if case["id"] != first["id"] else None

    second: dict[str, Any] = await eventually(second_case)
    assert second["evidence"]["reference"] != first["evidence"]["reference"]
    assert await act(house_admin, first["id"], "not_paid", **said) == (409, "case_closed")
    assert await act(house_admin, second["id"], "paid", receipt=receipts[0], **said) == (409, "receipt_taken")
    last = next(payout["receipt"] for payout in await house.payouts() if payout["receipt"] not in receipts)
    assert (await act(house_admin, second["id"], "paid", receipt=last, **said))[0] == 200
    assert (await house.result(started)).receipts == (receipts[0], last)
