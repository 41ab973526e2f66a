"""The codec for Temporal's UI opens everything, so it opens for few."""

import pytest
from google.protobuf.json_format import MessageToDict
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.testing import WorkflowEnvironment

from core.settings import Codec, Settings
from store.database import Database
from temporal.client import key_ring
from temporal.codec import AesGcmCodec
from tests.api.conftest import ADMIN_KEY, Door, open_door

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


SECRET = "9f3c1b7ad25e48c6a0f1d3b7e9c24a68"


def with_codec(settings: Settings, environment: str = "local", **codec: object) -> Settings:
    changed = Codec.model_validate({"address_secret": SECRET, **codec})
    return settings.model_copy(update={"environment": environment, "codec": changed})


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.0.2.7"])
async def test_where_a_caller_sits_proves_nothing(
    api_settings: Settings, database: Database, temporal_env: WorkflowEnvironment, address: str
) -> None:
    """Every program on this machine, and every page in its browser, comes from loopback."""
    local = with_codec(api_settings)
    async with open_door(local, database, temporal_env.client) as door:
        closed, visitor = await sealed(local), door.visitor(address=address, Origin=UI)
        assert (await visitor.post("/codec/decode", json=closed)).status_code == 401
        assert (await visitor.post("/codec/by/guess/decode", json=closed)).status_code == 404
        assert (await visitor.post(f"/codec/by/{SECRET}/decode", json=closed)).status_code == 200


async def test_a_ui_without_a_key_opens_by_the_secret_address_alone(
    api_settings: Settings, database: Database, temporal_env: WorkflowEnvironment
) -> None:
    local = with_codec(api_settings)
    async with open_door(local, database, temporal_env.client) as door:
        closed = await sealed(local)
        answer = await door.visitor(Origin=UI).post(f"/codec/by/{SECRET}/decode", json=closed)
        assert answer.json() == MessageToDict(Payloads(payloads=[PLAIN]))
        assert answer.headers["access-control-allow-origin"] == UI
        stranger = door.visitor(Origin="http://stranger.example")
        assert (await stranger.post(f"/codec/by/{SECRET}/decode", json=closed)).status_code == 403
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-namespace"}
        preflight = await door.visitor(Origin=UI).options(f"/codec/by/{SECRET}/decode", headers=asked)
        assert preflight.headers["access-control-allow-origin"] == UI


async def test_without_an_address_of_its_own_there_is_none(door: Door) -> None:
    closed = await sealed(door.settings)
    for guess in ("None", "null", "undefined"):
        assert (await door.visitor().post(f"/codec/by/{guess}/decode", json=closed)).status_code == 404


async def test_in_production_the_pages_are_named_and_nothing_is_sealed_for_anybody(
    api_settings: Settings, database: Database, temporal_env: WorkflowEnvironment
) -> None:
    page = "https://temporal.lender.example"
    settings = with_codec(api_settings, "production", origins=[page])
    async with open_door(settings, database, temporal_env.client) as door:
        closed = await sealed(settings)
        for path in ("/codec", f"/codec/by/{SECRET}"):
            assert (await door.admin.post(f"{path}/encode", json=closed)).status_code == 404
            asked = [
                (await door.visitor(ADMIN_KEY, Origin=origin).post(f"{path}/decode", json=closed)).status_code
                for origin in (page, UI, f"{page}.stranger.example", page.replace("https", "http"))
            ]
            assert asked == [200, 403, 403, 403]


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
