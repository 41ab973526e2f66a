"""Float purchases at the front door: the price that was shown is the price that is paid, and two people decide in doubt."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from core.clock import utc_now
from models.tables.base import table_of
from models.tables.lending.float_purchase import FloatPurchase
from models.tables.platform.tariff_band import TariffBand
from store.platform import partners
from tests.api.conftest import Door
from tests.api.money import BUY, FLOAT, price, rich_lender, say
from tests.support.approving import alone
from tests.support.house import House
from tests.support.lender import B2C_ACCOUNT, SHORTCODE
from tests.support.money_in import MoneyDesk

TIMES = 50


async def test_a_quote_breaks_the_price_down_and_stores_nothing(door: Door) -> None:
    partner_id = await rich_lender(door)
    quote = (await say(door.admin, "/float-purchases/quotes", {**FLOAT, "partner_id": partner_id})).json()
    assert [(line["item"], line["amount"]["amount"]) for line in quote["lines"]] == [
        ("float", "2000.00"), ("bank_transfer", "30.00"), ("float_processing", "50.00"),
    ]  # fmt: skip
    assert (quote["total"]["amount"], quote["available"]["amount"], quote["enough"]) == ("2080.00", "0.00", False)
    await alone(door.database, "wallets.credit")
    for amount, enough in (("2079.99", False), ("0.01", True)):
        body = {"amount": {"amount": amount, "currency": "KES"}, "reference": f"FT-{amount}"}
        assert (await door.admin.post(f"/api/v1/partners/{partner_id}/wallet/credits", json=body)).status_code == 201
        quote = (await say(door.admin, "/float-purchases/quotes", {**FLOAT, "partner_id": partner_id})).json()
        assert quote["enough"] is enough
    assert await door.rows(FloatPurchase) == []
    wallet = (await door.admin.get(f"/api/v1/partners/{partner_id}/wallet")).json()
    assert wallet["held"]["amount"] == "0.00"


async def test_a_price_that_changed_since_it_was_shown_is_a_conflict_with_the_new_one(door: Door) -> None:
    partner_id = await rich_lender(door)
    await price(door, "bank_transfer", 4500, valid_from=utc_now() - timedelta(seconds=1))
    body = {**BUY, "partner_id": partner_id}
    answer = await say(door.admin, "/float-purchases", body, key="a")
    assert (answer.status_code, answer.json()["code"]) == (409, "price_changed")
    assert answer.json()["errors"][0]["field"] == "expected_total"
    assert answer.json()["facts"] == {
        "total": "2095.00", "currency": "KES", "float": "2000.00", "bank_transfer": "45.00",
        "float_processing": "50.00",
    }  # fmt: skip
    assert await door.rows(FloatPurchase) == []
    agreed = {**body, "expected_total": {"amount": "2095", "currency": "KES"}}
    made = await say(door.admin, "/float-purchases", agreed, key="a")
    assert (made.status_code, made.json()["total"]["amount"]) == (202, "2095.00")
    # What was agreed to stays, whatever is asked for later purchases.
    await price(door, "bank_transfer", 9900, valid_from=utc_now())
    shown = (await door.admin.get(made.headers["location"])).json()
    assert {line["item"]: line["amount"]["amount"] for line in shown["lines"]}["bank_transfer"] == "45.00"
    assert (shown["held"], shown["attempts"], shown["code"]) == ([], [], None)


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"operator": "mtn"}, "operator", "unsupported_operator"),
        ({"amount": {"amount": "10", "currency": "UGX"}}, "amount.currency", "currency_differs"),
        ({"expected_total": {"amount": "10", "currency": "UGX"}}, "expected_total.currency", "currency_differs"),
    ],
)
async def test_what_the_bank_does_not_sell_is_said_at_once(
    door: Door, change: dict[str, object], field: str, rule: str
) -> None:
    partner_id = await rich_lender(door)
    answer = await say(door.admin, "/float-purchases", {**BUY, "partner_id": partner_id, **change})
    assert answer.status_code == 422, answer.text
    assert [(error["field"], error["rule"]) for error in answer.json()["errors"]] == [(field, rule)]


async def test_a_price_that_nobody_set_is_no_free_service(door: Door) -> None:
    partner_id = await rich_lender(door)
    async with door.database.transaction() as session:  # up to KES 1,000,000.00
        await session.exec(update(table_of(TariffBand)).values(to_minor=10**8))
    huge = {**FLOAT, "partner_id": partner_id, "amount": {"amount": "9000000", "currency": "KES"}}
    answer = await say(door.admin, "/float-purchases/quotes", huge)
    assert (answer.status_code, answer.json()["code"]) == (422, "no_tariff")


async def test_without_anybody_to_confirm_nothing_is_begun(door: Door) -> None:
    partner_id = await rich_lender(door)
    async with door.database.transaction() as session:
        for contact in await partners.contacts(session, partner_id):
            contact.role = "notify"
            session.add(contact)
    answer = await say(door.admin, "/float-purchases", {**BUY, "partner_id": partner_id})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_authorised_contact")


# ----------------------------------------------------------------------------------------------------- whole house


async def bought(house: House, admin: httpx.AsyncClient) -> dict[str, Any]:
    """An accepted purchase of 2,000.00 for 2,080.00, from a wallet of 6,000.00."""
    await house.fund("5000.00", "float")
    made = await say(admin, "/float-purchases", {**BUY, "partner_id": house.partner_id})
    assert made.status_code == 202, made.text
    return dict(made.json())


async def test_float_is_bought_with_the_code_that_the_authorised_person_got(
    house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk
) -> None:
    row = await bought(house, house_admin)
    path = f"/api/v1/float-purchases/{row['id']}"
    code = await desk.code_of(await purchase(desk, row))
    shown = (await house_admin.get(path)).json()
    assert shown["stage"] == "awaiting_code"
    assert (shown["code"]["number"], shown["code"]["tries_left"], shown["code"]["given_at"]) == (1, 5, None)
    assert sorted(line["amount"]["amount"] for line in shown["held"]) == ["2000.00", "30.00", "50.00"]
    confirmed = await house_admin.post(f"{path}/confirm", json={"code": code})
    assert confirmed.status_code == 200, confirmed.text
    done = (await house_admin.get(path, params={"wait": "20"})).json()
    assert (done["stage"], done["ended"], done["held"]) == ("completed", True, [])
    assert [attempt["state"] for attempt in done["attempts"]] == ["paid", "paid"]
    assert [attempt["to"] for attempt in done["attempts"]] == [B2C_ACCOUNT, SHORTCODE]
    assert done["transfer_reference"]
    assert done["purchase_reference"]
    # An answer that was lost can be asked for again, even after the end.
    again = await house_admin.post(f"{path}/confirm", json={"code": code})
    assert (again.status_code, again.json()) == (200, confirmed.json())
    late = await house_admin.post(f"{path}/confirm", json={"code": f"{(int(code) + 1) % 1_000_000:06d}"})
    assert (late.status_code, late.json()["code"]) == (409, "ended")
    wallet = (await house_admin.get(f"/api/v1/partners/{house.partner_id}/wallet")).json()
    assert (wallet["available"]["amount"], wallet["held"]["amount"]) == ("3920.00", "0.00")
    await desk.assert_books_agree()


async def test_cancelling_gives_everything_back(house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk) -> None:
    row = await bought(house, house_admin)
    path = f"/api/v1/float-purchases/{row['id']}"
    code = await desk.code_of(await purchase(desk, row))
    assert (await house_admin.post(f"{path}/cancel")).status_code == 200
    done = (await house_admin.get(path, params={"wait": "20"})).json()
    assert (done["stage"], done["held"]) == ("withdrawn", [])
    late = await house_admin.post(f"{path}/confirm", json={"code": code})
    assert (late.status_code, late.json()["code"]) == (409, "ended")
    wallet = (await house_admin.get(f"/api/v1/partners/{house.partner_id}/wallet")).json()
    assert (wallet["available"]["amount"], wallet["held"]["amount"]) == ("6000.00", "0.00")


async def test_a_wallet_that_is_too_low_buys_nothing(house: House, house_admin: httpx.AsyncClient) -> None:
    made = await say(house_admin, "/float-purchases", {**BUY, "partner_id": house.partner_id})
    done = (await house_admin.get(made.headers["location"], params={"wait": "20"})).json()
    assert (done["stage"], done["reason_code"]) == ("refused", "insufficient_funds")


async def test_what_nobody_knows_two_people_decide(
    house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk
) -> None:
    await house.fund("5000.00", "float")
    await house.fault("bank.transfer", "timeout_after_execution", options={"seconds": 3})
    await house.fault("bank.find", "down", times=TIMES)
    await house.fault("bank.push", "lose", times=TIMES)
    row = await desk.buy_float("2000.00")
    await desk.confirm(row)
    row = await desk.until(row, "in_review")
    path, resolve = f"/api/v1/float-purchases/{row.id}", f"/float-purchases/{row.id}/resolve"
    (attempt,) = (await house_admin.get(path)).json()["attempts"]
    assert (attempt["state"], attempt["to"]) == ("unknown", B2C_ACCOUNT)

    key = (
        await house_admin.post(
            "/api/v1/keys", json={"name": "two", "new_person": "Two", "scopes": ["float-purchases:resolve"]}
        )
    ).json()
    said = {"decision": "paid", "evidence": "statement, line 14"}
    missing = await say(house_admin, resolve, said)
    assert (missing.status_code, missing.json()["code"]) == (422, "receipt_missing")
    assert missing.json()["errors"][0]["field"] == "receipt"
    another = await say(house_admin, resolve, {**said, "receipt": "FT26014AB12C", "reference": "pay_x-a1"})
    assert (another.status_code, another.json()["code"]) == (409, "another_attempt")
    for command, code in (("cancel", "wrong_stage"), ("resend-code", "wrong_stage")):
        refused = await house_admin.post(f"{path}/{command}")
        assert (refused.status_code, refused.json()["code"]) == (409, code)

    proposed = await say(house_admin, resolve, {**said, "receipt": "FT26014AB12C", "reference": attempt["reference"]})
    assert proposed.status_code == 200, proposed.text
    own = await say(house_admin, resolve, {"decision": "approve", "evidence": "I am sure"})
    assert (own.status_code, own.json()["code"]) == (409, "four_eyes")
    assert (await house_admin.get(path)).json()["ended"] is False
    (await house.http.delete("/faults")).raise_for_status()
    agreed = await house_admin.post(
        f"/api/v1{resolve}",
        json={"decision": "approve", "evidence": "seen on the statement too", "reference": attempt["reference"]},
        headers={"Authorization": f"Bearer {key['key']}", "Idempotency-Key": "b"},
    )
    assert agreed.status_code == 200, agreed.text
    row = await desk.until(row, "completed")
    assert row.transfer_reference == "FT26014AB12C"


async def purchase(desk: MoneyDesk, row: dict[str, Any]) -> FloatPurchase:
    async with desk.house.database.transaction() as session:
        found = await session.get(FloatPurchase, row["id"])
    assert found is not None
    return found
