"""Top-ups at the front door: where to pay and under which code, what came in, who decides about a credit without one."""

import httpx
import pytest

from tests.api.conftest import Door
from tests.api.money import TOP_UP, rich_lender, say
from tests.support.house import House
from tests.support.lender import WALLET_ACCOUNT
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually


async def test_the_answer_tells_where_to_pay_and_under_which_code(door: Door) -> None:
    partner_id = await rich_lender(door)
    made = (await say(door.admin, "/top-ups", {**TOP_UP, "partner_id": partner_id})).json()
    assert made["pay_to"] == {"account": "1000200030", "name": "KIVUKO WALLET"}
    assert (made["method"], made["phone"]) == ("bank_transfer", None)
    assert made["reference"].startswith("KVT")
    assert len(made["reference"]) == 11
    shown = (await door.admin.get(f"/api/v1/top-ups/{made['id']}")).json()
    assert (shown["pay_to"], shown["payment"], shown["prompts"]) == (made["pay_to"], None, [])


@pytest.mark.parametrize("phone", ["+254711000222", "0711 000 222", "254711000222", "00254711000222"])
async def test_with_a_phone_its_holder_is_prompted(door: Door, phone: str) -> None:
    partner_id = await rich_lender(door)
    body = {**TOP_UP, "partner_id": partner_id, "phone": phone}
    made = await say(door.admin, "/top-ups", body)
    assert made.status_code == 202, made.text
    assert (made.json()["method"], made.json()["pay_to"]) == ("prompt", None)
    assert made.json()["phone"] == "+2547•••••222"
    (act,) = await door.audit("top_ups.create")
    assert act.after["phone"] == "+2547•••••222"


@pytest.mark.parametrize(
    ("dialect", "change", "field", "rule"),
    [
        ("reference", {"phone": "+254711000222"}, "phone", "no_till"),
        ("ncba", {"phone": "+256772123456"}, "phone", "not_promptable"),
        ("ncba", {"phone": "0711000222 ext 3"}, "phone", "invalid_msisdn"),
        (
            "ncba",
            {"phone": "+254711000222", "amount": {"amount": "10.50", "currency": "KES"}},
            "amount.amount",
            "not_whole",
        ),
        ("ncba", {"amount": {"amount": "10", "currency": "UGX"}}, "amount.currency", "currency_differs"),
    ],
)
async def test_what_the_bank_cannot_do_is_said_at_once(
    door: Door, dialect: str, change: dict[str, object], field: str, rule: str
) -> None:
    partner_id = await rich_lender(door, dialect=dialect)
    answer = await say(door.admin, "/top-ups", {**TOP_UP, "partner_id": partner_id, **change})
    assert answer.status_code == 422, answer.text
    assert [(error["field"], error["rule"]) for error in answer.json()["errors"]] == [(field, rule)]
    assert "772123456" not in answer.text


# ----------------------------------------------------------------------------------------------------- whole house


async def test_a_transfer_is_followed_from_its_announcement_to_the_wallet(
    house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk
) -> None:
    made = await say(house_admin, "/top-ups", {**TOP_UP, "partner_id": house.partner_id})
    assert made.status_code == 202, made.text
    path = made.headers["location"]
    assert made.json()["pay_to"]["account"] == WALLET_ACCOUNT

    async def waits() -> bool:
        shown = (await house_admin.get(path)).json()
        return shown["stage"] == "waiting_money" and shown["saga"]["waiting_for"] is not None

    await eventually(waits)
    transaction = await desk.deposit("2400.00", f"for {made.json()['reference']}")
    done = (await house_admin.get(path, params={"wait": "20"})).json()
    assert (done["stage"], done["ended"], done["saga"]) == ("completed", True, None)
    # What arrived is credited, not what was announced.
    assert done["credited"] == {"amount": "2400.00", "currency": "KES"}
    assert (done["amount"]["amount"], done["bank_reference"]) == ("2500.00", transaction)
    assert (done["payment"]["external_id"], done["payment"]["account"]) == (transaction, WALLET_ACCOUNT)
    assert done["payment"]["announced"] == ["push"]
    wallet = (await house_admin.get(f"/api/v1/partners/{house.partner_id}/wallet")).json()
    assert wallet["available"]["amount"] == "3400.00"
    for command in ("retry", "cancel"):
        late = await house_admin.post(f"{path}/{command}")
        assert (late.status_code, late.json()["code"]) == (409, "ended")
    await desk.assert_books_agree()


async def test_what_waits_for_money_can_be_cancelled(house: House, house_admin: httpx.AsyncClient) -> None:
    made = await say(house_admin, "/top-ups", {**TOP_UP, "partner_id": house.partner_id})
    path = made.headers["location"]

    async def cancelled() -> bool:
        return (await house_admin.post(f"{path}/cancel", json={"note": "not today"})).status_code == 200

    await eventually(cancelled)
    done = (await house_admin.get(path, params={"wait": "20"})).json()
    assert (done["stage"], done["reason_code"]) == ("withdrawn", "cancelled")


async def test_whose_money_it_is_one_key_says_and_another_agrees(
    house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk
) -> None:
    await desk.deposit("2500.00", "school fees")

    async def unallocated() -> str | None:
        rows = (await house_admin.get("/api/v1/top-ups?stage=unallocated")).json()["items"]
        return str(rows[0]["id"]) if rows else None

    top_up = str(await eventually(unallocated))
    resolve, path = f"/top-ups/{top_up}/resolve", f"/api/v1/top-ups/{top_up}"
    shown = (await house_admin.get(path)).json()
    assert (shown["method"], shown["payment"]["reference"]) == ("unannounced", "school fees")

    early = await say(house_admin, resolve, {"decision": "approve", "evidence": "looks right"})
    assert (early.status_code, early.json()["code"]) == (409, "wrong_stage")
    wrong = await say(house_admin, resolve, {"decision": "paid", "evidence": "slip", "receipt": "FT26001ABCDE"})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "wrong_stage")
    said = {"decision": "allocate", "evidence": "the lender's mail with the slip"}
    alone = await say(house_admin, resolve, said)
    assert (alone.status_code, alone.json()["code"]) == (409, "no_eligible_approver")
    body = {"name": "second pair of eyes", "new_person": "Ben", "scopes": ["top-ups:resolve"]}
    made = (await house_admin.post("/api/v1/keys", json=body)).json()
    proposed = await say(house_admin, resolve, said, key="p")
    assert (proposed.status_code, proposed.json()["stage"]) == (200, "approval")
    waiting = (await house_admin.get("/api/v1/top-ups?stage=approval")).json()["items"]
    assert [row["id"] for row in waiting] == [top_up]
    assert (await house_admin.get(path)).json()["saga"]["proposal"]["decision"] == "allocate"
    repeated = await say(house_admin, resolve, said, key="p")
    assert (repeated.status_code, repeated.headers["idempotency-replayed"]) == (200, "true")

    own = await say(house_admin, resolve, {"decision": "approve", "evidence": "I am sure"})
    assert (own.status_code, own.json()["code"]) == (409, "four_eyes")
    assert own.json()["detail"] == "Who proposed it cannot agree to it; another person must."
    wallet = f"/api/v1/partners/{house.partner_id}/wallet"
    assert (await house_admin.get(wallet)).json()["available"]["amount"] == "1000.00"

    agreed = await house_admin.post(
        f"/api/v1{resolve}",
        json={"decision": "approve", "evidence": "seen the slip"},
        headers={"Authorization": f"Bearer {made['key']}", "Idempotency-Key": "p"},  # another key's is another key
    )
    assert agreed.status_code == 200, agreed.text
    done = (await house_admin.get(path, params={"wait": "20"})).json()
    assert (done["stage"], done["credited"]["amount"]) == ("completed", "2500.00")
    assert (await house_admin.get(wallet)).json()["available"]["amount"] == "3500.00"
    (credited,) = [e for e in (await house_admin.get(f"{path}/events")).json()["items"] if e["key"] == "credited"]
    assert "Decided by installation and Ben." in credited["text"]
