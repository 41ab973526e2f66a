from collections.abc import AsyncIterator

import httpx
import pytest

from simulators.books import MESSAGES
from simulators.world import World
from tests.providers.message_servers import gateways, golden

FORM = {"username": "kivuko", "to": "+254712000111,+2547120", "message": "Habari", "bulkSMSMode": "1"}
KEY = {"apiKey": "local-demo"}
Stack = tuple[World, httpx.AsyncClient]


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Stack]:
    world = World()
    async with gateways(world) as base, httpx.AsyncClient(verify=False, base_url=f"{base}/africastalking") as http:
        yield world, http
    await world.close()


@pytest.fixture
def stack(server: Stack) -> Stack:
    server[0].documents.clear()
    server[0].faults.clear()
    return server


async def test_a_good_and_a_bad_number_are_answered_as_in_the_golden_sample(stack: Stack) -> None:
    world, http = stack
    answer = await http.post("/version1/messaging", data=FORM, headers=KEY)
    sample = golden("africastalking_mixed")
    assert answer.status_code == sample["http_status"]
    got, expected = answer.json()["SMSMessageData"], sample["body"]["SMSMessageData"]
    assert got["Message"] == expected["Message"]
    for mine, theirs in zip(got["Recipients"], expected["Recipients"], strict=True):
        assert {**mine, "messageId": ""} == {**theirs, "messageId": ""}
    assert got["Recipients"][1]["messageId"] == "None"
    assert [message["to"] for message in world.documents.all(MESSAGES)] == ["+254712000111"]


async def test_a_long_message_costs_each_of_its_segments(stack: Stack) -> None:
    _, http = stack
    answer = await http.post("/version1/messaging", data={**FORM, "message": "a" * 161}, headers=KEY)
    assert answer.json()["SMSMessageData"]["Recipients"][0]["cost"] == "KES 1.6000"


@pytest.mark.parametrize("path", ["/version1/messaging", "/version1/user"])
async def test_a_wrong_key_is_refused_in_plain_text(stack: Stack, path: str) -> None:
    world, http = stack
    method = "POST" if path.endswith("messaging") else "GET"
    answer = await http.request(method, path, data=FORM if method == "POST" else None, headers={"apiKey": "wrong"})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/plain")
    assert world.documents.all(MESSAGES) == []


@pytest.mark.parametrize("missing", ["username", "to", "message"])
async def test_a_missing_field_is_a_bad_request(stack: Stack, missing: str) -> None:
    _, http = stack
    answer = await http.post("/version1/messaging", data={**FORM, missing: ""}, headers=KEY)
    assert answer.status_code == 400
