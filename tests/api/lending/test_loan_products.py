"""Which products are paid out, and within which limits."""

from tests.api.conftest import Door


def kes(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "KES"}


async def test_a_product_is_enabled_with_its_limits(door: Door) -> None:
    partner_id = await door.lender()
    path = f"/api/v1/partners/{partner_id}/loan-products"
    wanted = {
        "enabled": True, "minimum": kes("500"), "maximum": kes("70000.00"), "daily_limit": kes("1000000"),
        "above_maximum": "split",
    }  # fmt: skip
    set_ = await door.admin.put(f"{path}/1", json=wanted)
    assert set_.status_code == 200, set_.text
    (listed,) = (await door.admin.get(path)).json()["items"]
    assert listed == set_.json()
    assert (listed["enabled"], listed["minimum"], listed["maximum"]) == (True, kes("500.00"), kes("70000.00"))
    assert (listed["daily_limit"], listed["above_maximum"]) == (kes("1000000.00"), "split")
    (act,) = await door.audit("loan_products.set")
    assert (act.before["enabled"], act.after["enabled"]) == (False, True)


async def test_a_product_that_was_never_fetched_is_not_found(door: Door) -> None:
    partner_id = await door.lender()
    wanted = {"enabled": True, "minimum": kes("0"), "maximum": kes("1")}
    answer = await door.admin.put(f"/api/v1/partners/{partner_id}/loan-products/2", json=wanted)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (404, "product_id")
