from collections.abc import AsyncIterator

import httpx
import pytest

from providers.damza.wire import airtouch_password
from simulators.books import MESSAGES
from simulators.faults import Fault, FaultScript
from simulators.world import World
from tests.providers.message_servers import gateways, golden

PANEL = {"action": "send-sms", "api_key": "local-demo", "to": "254712000111", "from": "KIVUKO", "sms": "Habari"}
AIRTOUCH = {
    "issn": "KIVUKO",
    "msisdn": "254712000111",
    "text": "Habari",
    "username": "kivuko",
    "password": airtouch_password("local-demo"),
    "sms_id": "ntf_1",
}
Stack = tuple[World, httpx.AsyncClient]


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Stack]:
    world = World()
    async with gateways(world) as base, httpx.AsyncClient(verify=False, base_url=f"{base}/damza") as http:
        yield world, http
    await world.close()


@pytest.fixture
def stack(server: Stack) -> Stack:
    server[0].documents.clear()
    server[0].faults.clear()
    return server


def shape(body: dict[str, object]) -> dict[str, type]:
    return {key: type(value) for key, value in body.items()}


async def test_the_panel_answers_in_the_golden_shapes(stack: Stack) -> None:
    _, http = stack
    taken = await http.get("/sms/api", params=PANEL)
    assert shape(taken.json()) == shape(golden("damza_panel_accepted")["body"])
    refused = await http.get("/sms/api", params={**PANEL, "api_key": "wrong"})
    assert refused.status_code == 200
    assert shape(refused.json()) == shape(golden("damza_panel_refused")["body"])
    assert refused.json()["code"] == "102"


async def test_airtouch_answers_in_the_golden_shape(stack: Stack) -> None:
    _, http = stack
    taken = await http.get("/sms/api/", params=AIRTOUCH)
    assert shape(taken.json()) == shape(golden("damza_airtouch_accepted")["body"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"action": "delete"}, "101"),
        ({"to": "12"}, "103"),
        ({"from": ""}, "106"),
        ({"sms": ""}, "100"),
        ({"to": ",".join(["254712000111"] * 101)}, "100"),
    ],
)
async def test_the_panel_refuses_what_is_malformed(stack: Stack, change: dict[str, str], code: str) -> None:
    world, http = stack
    answer = await http.get("/sms/api", params={**PANEL, **change})
    assert answer.json()["code"] == code
    assert world.documents.all(MESSAGES) == []


@pytest.mark.parametrize(("missing", "code"), [("issn", "1001"), ("username", "1011"), ("password", "1006")])
async def test_airtouch_refuses_what_is_malformed(stack: Stack, missing: str, code: str) -> None:
    world, http = stack
    answer = await http.get("/sms/api/", params={**AIRTOUCH, missing: ""})
    assert answer.json()["status_code"] == code
    assert world.documents.all(MESSAGES) == []


async def test_a_list_of_numbers_is_one_message_each(stack: Stack) -> None:
    world, http = stack
    await http.get("/sms/api", params={**PANEL, "to": "254712000111,254712000222"})
    assert [message["to"] for message in world.documents.all(MESSAGES)] == ["254712000111", "254712000222"]


async def test_the_same_message_twice_is_two_messages(stack: Stack) -> None:
    world, http = stack
    for _ in range(2):
        await http.get("/sms/api/", params=AIRTOUCH)
    assert [message["reference"] for message in world.documents.all(MESSAGES)] == ["ntf_1", "ntf_1"]


@pytest.mark.parametrize(
    ("action", "options", "kept"),
    [("down", {}, 0), ("refuse", {"code": "105"}, 0), ("html_200", {}, 1), ("html_200", {"taken": False}, 0)],
)
async def test_the_book_says_what_went_out_whatever_was_answered(
    stack: Stack, action: str, options: dict[str, object], kept: int
) -> None:
    world, http = stack
    world.faults.add(FaultScript(faults=[Fault(operation="damza.send", action=action, options=options)]))
    await http.get("/sms/api", params=PANEL)
    assert len(world.documents.all(MESSAGES)) == kept


async def test_a_fault_can_be_aimed_at_one_number_and_dialect(stack: Stack) -> None:
    world, http = stack
    aim = {"dialect": "panel", "to": "254712000222"}
    world.faults.add(FaultScript(faults=[Fault(operation="damza.send", action="down", match=aim)]))
    assert (await http.get("/sms/api", params=PANEL)).status_code == 200
    assert (await http.get("/sms/api", params={**PANEL, "to": "254712000222"})).status_code == 503
