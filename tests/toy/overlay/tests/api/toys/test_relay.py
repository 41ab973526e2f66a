"""Relays at the front door, at the desk and at the command line: nothing of them is listed there."""

import asyncio
import io
import json
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from cli.demo.guide import Guide
from cli.demo.promises import Scene
from cli.demo.relay import RelayDemo
from cli.demo.world import SimulatedWorld
from cli.follow import Narrator
from cli.http import ApiClient
from cli.main import app
from core.ids import new_id
from tests.api.conftest import ADMIN_KEY, Door
from tests.api.money import say
from tests.flows.toys.relay_desk import ACCOUNT, AMOUNT, PAYER, RECIPIENT, TOKEN, RelayDesk, given_back, passed_on
from tests.support.house import House
from tests.support.waiting import eventually

MONEY = {"amount": AMOUNT, "currency": "KES"}


@pytest.fixture
async def relays(house: House, house_admin: httpx.AsyncClient) -> RelayDesk:
    """A partner whose tin was given through the API."""
    desk = RelayDesk(house)
    await desk.announce_to("")
    given = {"base_url": f"{house.simulators.url}/tin", "account": ACCOUNT, "token": TOKEN}
    here = f"/api/v1/partners/{house.partner_id}/connections/tin"
    put = await house_admin.put(here, json=given)
    assert (put.status_code, put.json()["status"]) == (200, "ok"), put.text
    (address,) = (await house_admin.get(f"{here}/address")).json()["items"]
    assert address["purpose"] == "announce"
    await desk.announce_to(address["url"])
    return desk


async def ask(admin: httpx.AsyncClient, desk: RelayDesk, **more: Any) -> dict[str, Any]:
    body = {"partner_id": desk.house.partner_id, "amount": MONEY, "recipient": f"+{RECIPIENT}", **more}
    made = await say(admin, "/relays", body)
    assert made.status_code == 202, made.text
    return dict(made.json())


async def kivuko(house: House, *words: str) -> Result:
    reach = ("--url", house.api_url, "--key", ADMIN_KEY)
    done = await asyncio.to_thread(CliRunner().invoke, app, [*reach, *words])
    assert done.exit_code == 0, done.output
    return done


async def test_a_relay_is_asked_for_waited_for_listed_and_told(
    house_admin: httpx.AsyncClient, relays: RelayDesk
) -> None:
    made = await ask(house_admin, relays, payer=f"+{PAYER}", client_reference="INV-7")
    assert (made["method"], made["payer"], made["recipient"]) == ("prompt", "+2547•••••001", "+2547•••••001")
    assert made["pay_to"] is None
    path = f"/api/v1/relays/{made['id']}"
    done = (await house_admin.get(path, params={"wait": 30})).json()
    assert (done["stage"], done["ended"], done["saga"]) == ("completed", True, None)
    assert (done["payment"]["external_id"], done["attempts"][0]["receipt"]) == (done["receipt"], done["paid_receipt"])
    listed = (
        await house_admin.get("/api/v1/relays", params={"status": "completed", "client_reference": "INV-7"})
    ).json()["items"]
    assert [row["id"] for row in listed] == [made["id"]]
    events = (await house_admin.get(f"{path}/events")).json()["items"]
    assert [event["key"] for event in events][::2] == ["requested", "received", "ended"]
    assert await relays.movements() == passed_on()


async def test_a_relay_that_waits_for_money_is_cancelled_and_its_late_payment_goes_back(
    house_admin: httpx.AsyncClient, relays: RelayDesk
) -> None:
    made = await ask(house_admin, relays)
    assert made["pay_to"] == {"account": ACCOUNT}
    path = f"/relays/{made['id']}"

    async def waits() -> bool:
        return bool((await house_admin.get(f"/api/v1{path}")).json()["stage"] == "waiting_money")

    await eventually(waits)
    assert (await say(house_admin, f"{path}/cancel")).status_code == 200
    done = (await house_admin.get(f"/api/v1{path}", params={"wait": 30})).json()
    assert done["stage"] == "withdrawn"
    await relays.pay_in(made["code"])

    async def back() -> bool:
        return len(await relays.movements()) == 2

    await eventually(back)
    assert await relays.movements() == given_back()


async def test_what_nobody_told_of_is_decided_by_two_people_and_goes_back(
    house_admin: httpx.AsyncClient, relays: RelayDesk
) -> None:
    """The payout never left the tin's door, nobody knows that, and the tin's word "not found" is no proof."""
    await relays.patience(1)
    await relays.fault("payout", "timeout_before", RECIPIENT, options={"seconds": 5})
    row = await relays.until(await relays.relay(), "in_review")
    assert await relays.house.cases() == ["payout_unknown"]
    (case,) = (await house_admin.get("/api/v1/cases", params={"workflow_id": row.workflow_id})).json()["items"]
    shown = (await house_admin.get(f"/api/v1/cases/{case['id']}")).json()
    assert shown["saga"]["href"] == f"/api/v1/relays/{row.id}"
    (unknown,) = (await house_admin.get("/api/v1/unknown-outcomes", params={"minutes": 0})).json()["items"]
    assert (unknown["provider"], unknown["saga"]["id"], unknown["case_id"]) == ("tin", row.id, case["id"])
    decided = {"decision": "not_paid", "evidence": "The tin's own book does not have it."}

    async def taken(caller: httpx.AsyncClient, said: dict[str, str]) -> bool:
        """As soon as the tin has been queried once the payout can no longer leave: before that, and while the next query is
        open, it is too early."""
        await asyncio.sleep(0.3)
        answer = await say(caller, f"/relays/{row.id}/resolve", said)
        assert answer.status_code == 200 or answer.json()["code"] == "too_early", answer.text
        return answer.status_code == 200

    made = {"name": new_id("nam"), "new_person": new_id("nam"), "scopes": ["relays:read", "relays:resolve"]}
    key = (await house_admin.post("/api/v1/keys", json=made)).json()["key"]
    await eventually(lambda: taken(house_admin, decided))
    agreed = {"decision": "approve", "evidence": "I looked as well."}
    assert (await say(house_admin, f"/relays/{row.id}/resolve", agreed)).json()["code"] == "four_eyes"
    async with httpx.AsyncClient(
        base_url=relays.house.api_url, headers={"Authorization": f"Bearer {key}"}, timeout=60
    ) as other:
        await eventually(lambda: taken(other, agreed))
    assert (await relays.ended(row)).stage == "returned"
    assert await relays.movements() == given_back()
    assert await relays.house.cases() == []


async def test_the_command_line_knows_relays(relays: RelayDesk, house: House) -> None:
    asked = (
        "relays", "start", "500", f"+{RECIPIENT}", "--payer", f"+{PAYER}", "--partner", house.partner_id, "--json",
    )  # fmt: skip
    made = json.loads((await kivuko(house, *asked)).stdout)
    last = (await kivuko(house, "watch", made["id"], "--json")).stdout.splitlines()[-1]
    assert json.loads(last)["relay"]["stage"] == "completed"
    (listed,) = json.loads((await kivuko(house, "relays", "list", "--json")).stdout)
    assert listed["id"] == made["id"]
    shown = await kivuko(house, "relays", "show", made["id"])
    assert "completed" in shown.stdout
    assert listed["paid_receipt"] in shown.stdout
    assert "relay" in (await kivuko(house, "relays", "--help")).stdout
    waiting = await relays.until(await relays.relay(None), "waiting_money")
    assert json.loads((await kivuko(house, "retry", waiting.id, "--json")).stdout)["stage"] == "waiting_money"
    assert json.loads((await kivuko(house, "cancel", waiting.id, "--json")).stdout)["id"] == waiting.id
    assert (await relays.ended(waiting)).stage == "withdrawn"


@pytest.mark.parametrize("name", ["paid", "returned"])
async def test_the_demo_is_as_promised(relays: RelayDesk, house: House, name: str) -> None:
    def played() -> Scene:
        nowhere = Console(file=io.StringIO())
        with ApiClient(house.api_url, ADMIN_KEY) as api, SimulatedWorld(house.simulators.url) as world:
            guide = Guide(house.settings, api, world, house.partner_id, nowhere, Narrator(nowhere))
            return RelayDemo(guide).play(name, "750")

    scene = await asyncio.to_thread(played)
    assert len(scene.promises) >= 2
    assert [promise for promise in scene.promises if not promise.kept] == []


async def test_a_key_needs_the_relays_own_scopes(door: Door) -> None:
    partner_id = await door.lender()
    reader = await door.key("relays:read", partner_id=partner_id)
    assert (await reader.get("/api/v1/relays")).json() == {"items": [], "next_cursor": None}
    body = {"amount": MONEY, "recipient": f"+{RECIPIENT}"}
    refused = await say(reader, "/relays", body)
    assert (refused.status_code, refused.json()["facts"]["scope"]) == (403, "relays:write")
    writer = await door.key("relays:write", partner_id=partner_id)
    assert (await say(writer, "/relays", body)).json()["code"] == "no_connection"
    stranger = await door.key("top-ups:read", partner_id=partner_id)
    assert (await stranger.get("/api/v1/relays")).status_code == 403
