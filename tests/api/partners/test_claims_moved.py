"""A claim on something outside goes to another partner by two people of the platform alone."""

from typing import Any

from tests.api.conftest import Door
from tests.api.operations.test_approvals import answer, person

PATH = "/api/v1/claims"


async def claimed(door: Door, partner_id: str, kind: str = "mpesa_shortcode") -> str:
    shown = (await door.admin.get(PATH, params={"kind": kind, "partner_id": partner_id})).json()["items"]
    (one,) = shown
    return str(one["key"])


def move(code: str, to: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "mpesa_shortcode", "key": code, "to_partner_id": to, "evidence": "the lender's letter of today", **more,
    }  # fmt: skip


async def test_two_people_move_a_claim_and_its_holders_connection_counts_no_more(door: Door) -> None:
    holder, heir = await door.lender("Holder"), await door.lender("Heir")
    key = await claimed(door, holder)
    ann, ben = await person(door), await person(door)
    proposed = await ann.post(f"{PATH}/move", json=move(key, heir))
    assert proposed.status_code == 202, proposed.text
    again = await ann.post(f"{PATH}/move", json=move(key, heir))
    assert again.json()["id"] == proposed.json()["id"]
    assert (await answer(ann, proposed.json()["id"])).json()["code"] == "four_eyes"
    assert await claimed(door, holder) == key, "nothing moves by one person"
    agreed = await answer(ben, proposed.json()["id"])
    assert (agreed.status_code, agreed.json()["state"]) == (200, "approved"), agreed.text
    keys = [one["key"] for one in (await door.admin.get(PATH, params={"partner_id": heir})).json()["items"]]
    assert key in keys
    shown = (await door.admin.get(f"/api/v1/partners/{holder}")).json()["connections"]
    assert [one["status"] for one in shown if one["provider"] == "daraja"] == ["unproven"]


async def test_what_cannot_be_moved_is_refused_by_name(door: Door) -> None:
    holder, heir = await door.lender("Holder"), await door.lender("Heir")
    key, ann = await claimed(door, holder), await person(door)

    async def refusal(**changes: Any) -> tuple[int, str]:
        refused = await ann.post(f"{PATH}/move", json=move(key, heir, **changes))
        return refused.status_code, refused.json()["code"]

    assert await refusal(key="nobody's") == (404, "no_claim")
    assert await refusal(to_partner_id=holder) == (409, "claimed_already")
    assert (await refusal(kind="fineract_identity"))[0] == 422
    assert (await ann.post(f"{PATH}/move", json=move(key, heir))).status_code == 202
    third = await door.lender("Third")
    assert await refusal(to_partner_id=third) == (409, "proposed_otherwise")


async def test_claims_are_the_platforms_to_see_and_to_move(door: Door) -> None:
    holder, heir = await door.lender("Holder"), await door.lender("Heir")
    key, own = await claimed(door, holder), await person(door, heir)
    assert (await own.get(PATH)).status_code == 403
    assert (await own.post(f"{PATH}/move", json=move(key, heir))).status_code == 403


async def test_claims_are_listed_page_by_page(door: Door) -> None:
    for name in ("One", "Two"):
        await door.lender(name)
    whole = (await door.admin.get(PATH)).json()["items"]
    found, cursor = [], None
    while True:
        shown = (await door.admin.get(PATH, params={"limit": 1} | ({"cursor": cursor} if cursor else {}))).json()
        found += shown["items"]
        cursor = shown["next_cursor"]
        if cursor is None:
            break
    assert found == whole
    assert len(whole) >= 4
