"""The codec for Temporal's UI opens everything, so it opens for few."""

import pytest
from google.protobuf.json_format import MessageToDict
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.testing import WorkflowEnvironment

from core.settings import Settings
from store.database import Database
from temporal.client import key_ring
from temporal.codec import AesGcmCodec
from tests.api.conftest import Door, open_door

PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"SECRET"')
UI = "http://localhost:8233"


async def sealed(settings: Settings) -> dict[str, object]:
    payloads = await AesGcmCodec(key_ring(settings)).encode([PLAIN])
    return dict(MessageToDict(Payloads(payloads=payloads)))


async def test_an_admin_reads_what_was_sealed_and_seals_what_is_read(door: Door) -> None:
    closed = await sealed(door.settings)
    opened = await door.admin.post("/codec/decode", json=closed)
    assert opened.json() == MessageToDict(Payloads(payloads=[PLAIN]))
    again = (await door.admin.post("/codec/encode", json=opened.json())).json()
    assert again != opened.json()
    assert (await door.admin.post("/codec/decode", json=again)).json() == opened.json()


async def test_what_is_not_sealed_by_us_comes_back_as_it_is(door: Door) -> None:
    plain = MessageToDict(Payloads(payloads=[PLAIN]))
    assert (await door.admin.post("/codec/decode", json=plain)).json() == plain


async def test_nobody_else_may_open_payloads(door: Door) -> None:
    closed = await sealed(door.settings)
    assert (await door.visitor().post("/codec/decode", json=closed)).status_code == 401
    reader = await door.key("partners:read", "disbursements:resolve")
    assert (await reader.post("/codec/decode", json=closed)).status_code == 403


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_on_a_developers_machine_the_ui_needs_no_key(
    api_settings: Settings, database: Database, temporal_env: WorkflowEnvironment, address: str
) -> None:
    local = api_settings.model_copy(update={"environment": "local"})
    async with open_door(local, database, temporal_env.client) as door:
        closed = await sealed(local)
        answer = await door.visitor(address=address, Origin=UI).post("/codec/decode", json=closed)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == UI
        # Not from another machine, and not for another page in the same browser.
        assert (await door.visitor(address="192.0.2.7").post("/codec/decode", json=closed)).status_code == 401
        stranger = door.visitor(address=address, Origin="http://stranger.example")
        assert (await stranger.post("/codec/decode", json=closed)).status_code == 403


async def test_a_preflight_is_answered_for_the_ui_alone(door: Door) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-namespace"}
    answer = await door.visitor().options("/codec/decode", headers={"Origin": UI, **asked})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == UI
    assert "x-namespace" in answer.headers["access-control-allow-headers"]
    other = await door.visitor().options("/codec/decode", headers={"Origin": "http://stranger.example", **asked})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    "body",
    [
        {"payloads": [{"data": "not base64!"}]},
        {"payloads": [{"colour": "red"}]},
        {"payloads": [{"metadata": {"encoding": "YmluYXJ5L2tpdnVrby1hZXMtZ2Nt"}, "data": "AAAA"}]},
        {"payloads": "x"},
    ],
)
async def test_what_is_no_payload_is_a_problem(door: Door, body: object) -> None:
    answer = await door.admin.post("/codec/decode", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"].startswith("payloads")
