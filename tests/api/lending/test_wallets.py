"""Credits are booked once per reference, and the wallet's lines add up."""

from tests.api.conftest import Door
from tests.support.approving import alone


async def test_a_credit_shows_in_the_wallet_its_lines_and_the_audit(door: Door) -> None:
    partner_id = await door.lender()
    await alone(door.database, "wallets.credit")
    path = f"/api/v1/partners/{partner_id}/wallet"
    body = {"amount": {"amount": "1000.50", "currency": "KES"}, "reference": "FT-1", "note": "November"}
    made = await door.admin.post(f"{path}/credits", json=body)
    assert made.status_code == 201
    assert made.json()["balance"] == {"amount": "1000.50", "currency": "KES"}
    wallet = (await door.admin.get(path)).json()
    zero, full = {"amount": "0.00", "currency": "KES"}, {"amount": "1000.50", "currency": "KES"}
    assert wallet == {"partner_id": partner_id, "balance": full, "held": zero, "available": full}
    (line,) = (await door.admin.get(f"{path}/entries")).json()["items"]
    assert (line["change"], line["balance_before"], line["balance_after"]) == (full, zero, full)
    assert line["note"] == "November"
    (act,) = await door.audit("wallets.credit")
    assert (act.subject, act.after["reference"]) == (partner_id, "FT-1")


async def test_one_reference_is_booked_once(door: Door) -> None:
    partner_id = await door.lender()
    await alone(door.database, "wallets.credit")
    path = f"/api/v1/partners/{partner_id}/wallet/credits"
    body = {"amount": {"amount": "1000.00", "currency": "KES"}, "reference": "FT-1"}
    answers = [await door.admin.post(path, json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert [answer.json()["status"] for answer in answers] == ["booked", "already_booked"]
    other = await door.admin.post(path, json={**body, "amount": {"amount": "1000.01", "currency": "KES"}})
    assert (other.status_code, other.json()["code"]) == (409, "reference_reused")
    assert other.json()["errors"][0]["field"] == "reference"
    wallet = (await door.admin.get(f"/api/v1/partners/{partner_id}/wallet")).json()
    assert wallet["balance"]["amount"] == "1000.00"
    assert len(await door.audit("wallets.credit")) == 1


async def test_lines_page_by_cursor_without_a_gap(door: Door) -> None:
    partner_id = await door.lender()
    await alone(door.database, "wallets.credit")
    path = f"/api/v1/partners/{partner_id}/wallet"
    for number in range(5):
        body = {"amount": {"amount": "10", "currency": "KES"}, "reference": f"FT-{number}"}
        assert (await door.admin.post(f"{path}/credits", json=body)).status_code == 201
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await door.admin.get(f"{path}/entries", params=params)).json()
        seen += [line["balance_after"]["amount"] for line in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["50.00", "40.00", "30.00", "20.00", "10.00"]
    assert cursor is None


async def test_a_partners_own_key_cannot_credit_itself(door: Door) -> None:
    partner_id = await door.lender()
    visitor = await door.key("wallets:read", "partners:write", partner_id=partner_id)
    body = {"amount": {"amount": "10", "currency": "KES"}, "reference": "FT-1"}
    answer = await visitor.post(f"/api/v1/partners/{partner_id}/wallet/credits", json=body)
    assert (answer.status_code, answer.json()["facts"]) == (403, {"scope": "wallets:credit"})


async def test_the_wallet_of_nobody_is_not_found(door: Door) -> None:
    answer = await door.admin.get(f"/api/v1/partners/prt_{'0' * 26}/wallet")
    assert answer.status_code == 404
