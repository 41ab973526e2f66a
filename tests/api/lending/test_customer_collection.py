"""Customers' payments at the front door: asked for, booked, placed by a person where nobody has the account."""

from typing import Any

import httpx
import pytest

from models.tables.lending.customer_collection import Collection
from tests.api.conftest import Door
from tests.api.money import COLLECT, rich_lender, say
from tests.support.house import PHONE, House
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually


async def test_the_phone_is_shown_masked_and_the_code_in_clear(door: Door) -> None:
    partner_id = await rich_lender(door)
    made = await say(door.admin, "/collections", {**COLLECT, "partner_id": partner_id})
    row = made.json()
    assert (row["phone"], row["account"], row["channel"]) == ("+2547•••••678", "000000091", "prompt")
    assert row["payer_reference"].startswith("KVC")
    shown = (await door.admin.get(made.headers["location"])).text
    assert "712345678" not in made.text + shown
    (act,) = await door.audit("collections.create")
    assert "712345678" not in str(act.after)


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"amount": {"amount": "10.50", "currency": "KES"}}, "amount.amount", "not_whole"),
        ({"amount": {"amount": "10", "currency": "UGX"}}, "amount.currency", "currency_differs"),
        ({"phone": "+256772123456"}, "phone", "not_promptable"),
        ({"phone": "0712-OOO-345"}, "phone", "invalid_msisdn"),
        ({"phone": "0712000345 / 0722000111"}, "phone", "invalid_msisdn"),
    ],
)
async def test_what_mpesa_cannot_ask_for_is_said_at_once(
    door: Door, change: dict[str, object], field: str, rule: str
) -> None:
    partner_id = await rich_lender(door)
    answer = await say(door.admin, "/collections", {**COLLECT, "partner_id": partner_id, **change})
    assert answer.status_code == 422, answer.text
    assert [(error["field"], error["rule"]) for error in answer.json()["errors"]] == [(field, rule)]


async def test_without_a_pass_key_nobody_is_asked(door: Door) -> None:
    partner_id = await rich_lender(door, passkey=None)
    answer = await say(door.admin, "/collections", {**COLLECT, "partner_id": partner_id})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_passkey")
    assert await door.rows(Collection) == []


# ----------------------------------------------------------------------------------------------------- whole house


async def test_a_payment_is_followed_from_the_prompt_to_the_loan(
    house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk
) -> None:
    loan = await desk.loan("5000.00")
    body = {**COLLECT, "partner_id": house.partner_id, "account": loan["accountNo"], "phone": f"+{PHONE}"}
    made = await say(house_admin, "/collections", body)
    assert made.status_code == 202, made.text
    path = made.headers["location"]
    done = (await house_admin.get(path, params={"wait": "30"})).json()
    while not done["ended"]:
        done = (await house_admin.get(path, params={"wait": "30"})).json()
    assert done["stage"] == "completed", done
    (paid,) = await desk.collected()
    (repayment,) = await desk.repayments(loan)
    assert (done["receipt"], done["payment"]["external_id"]) == (paid["receipt"], paid["receipt"])
    (part,) = done["allocations"]
    assert (part["kind"], part["account"], part["amount"]["amount"]) == ("loan", loan["accountNo"], "500.00")
    assert part["transaction_id"] == repayment["id"]
    (prompt,) = done["prompts"]
    assert (prompt["state"], prompt["to"], prompt["payer_reference"]) == (
        "paid", "+2547•••••678", made.json()["payer_reference"],
    )  # fmt: skip
    assert PHONE not in (await house_admin.get(path)).text
    late = await house_admin.post(f"{path}/cancel")
    assert (late.status_code, late.json()["code"]) == (409, "ended")


async def unplaced(admin: httpx.AsyncClient) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        rows = (await admin.get("/api/v1/collections?stage=waiting_account")).json()["items"]
        return dict(rows[0]) if rows else None

    return dict(await eventually(there))


async def test_a_payment_that_nobody_has_the_account_of_is_placed_by_a_person(
    house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk
) -> None:
    loan, savings = await desk.loan("5000.00"), await desk.savings()
    await house.fault("daraja.c2b.validation", "skip")
    await desk.paybill("500", "999999999")
    row = await unplaced(house_admin)
    resolve = f"/collections/{row['id']}/resolve"

    def part(kind: str, account: dict[str, Any], amount: str) -> dict[str, Any]:
        return {"kind": kind, "account": account["accountNo"], "amount": {"amount": amount, "currency": "KES"}}

    said: dict[str, Any] = {"decision": "allocate", "evidence": "the customer called"}
    missing = await say(house_admin, resolve, said)
    assert (missing.status_code, missing.json()["code"]) == (422, "allocations_missing")
    assert missing.json()["errors"][0]["field"] == "allocations"
    short = await say(house_admin, resolve, {**said, "allocations": [part("loan", loan, "499.99")]})
    assert (short.status_code, short.json()["code"]) == (422, "allocation_sum")
    assert short.json()["errors"][0]["field"] == "allocations"
    foreign = [
        part("loan", loan, "400"),
        {**part("savings", savings, "100"), "amount": {"amount": "100", "currency": "UGX"}},
    ]
    mixed = await say(house_admin, resolve, {**said, "allocations": foreign})
    assert mixed.json()["errors"][0]["field"] == "allocations.1.amount.currency"
    wrong = await say(house_admin, resolve, {"decision": "posted", "evidence": "booked by hand"})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "wrong_stage")

    parts = [part("loan", loan, "400.00"), part("savings", savings, "100.00")]
    taken = await say(house_admin, resolve, {**said, "allocations": parts})
    assert taken.status_code == 200, taken.text
    done = (await house_admin.get(f"/api/v1/collections/{row['id']}", params={"wait": "20"})).json()
    assert (done["stage"], [p["amount"]["amount"] for p in done["allocations"]]) == ("completed", ["400.00", "100.00"])
    assert [t["amount"] for t in await desk.repayments(loan)] == ["400.00"]
    assert [t["amount"] for t in await desk.deposits(savings)] == ["100.00"]


async def test_a_receipt_of_another_payment_does_not_resolve_this_one(
    house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk
) -> None:
    loan = await desk.loan("5000.00")
    paid = await desk.paybill("300", loan["accountNo"])
    await desk.of_receipt(paid["receipt"])
    body = {**COLLECT, "partner_id": house.partner_id, "account": loan["accountNo"], "phone": f"+{PHONE}"}
    await desk.payer("no_answer")
    made = await say(house_admin, "/collections", body)
    said = {"decision": "paid", "evidence": "the portal", "receipt": paid["receipt"].lower()}
    answer = await say(house_admin, f"/collections/{made.json()['id']}/resolve", said)
    assert (answer.status_code, answer.json()["code"]) == (409, "receipt_taken")
    assert answer.json()["errors"][0]["field"] == "receipt"
