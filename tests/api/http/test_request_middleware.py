"""What stands before every route: time for bodies, headers for browsers, no redirect of a stranger's making, few guesses."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from api.http.dependencies import put_services
from api.http.wrong_keys import WrongKeys
from cli.local.ports import free_port
from core.errors import Throttled
from core.settings import Metrics, Settings
from store.database import Database
from tests.api.conftest import ADMIN_KEY, Door, open_door

TOKEN = "9f3c1b7ad25e48c6a0f1d3b7e9c24a68"


# ---------------------------------------------------------------------------------------------------------- slow bodies


@asynccontextmanager
async def served(settings: Settings, database: Database, client: object) -> AsyncIterator[int]:
    """The application over real HTTP; yields its port."""
    app = create_app(settings, database=database, client=client)  # type: ignore[arg-type]
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():
        await asyncio.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    await task
    listener.close()


@pytest.mark.parametrize("path", ["/api/v1/partners", "/cb/hooks/some-secret/", "/codec/decode"])
async def test_a_body_that_drips_is_cut_off(
    api_settings: Settings, database: Database, temporal_env: WorkflowEnvironment, path: str
) -> None:
    quick = api_settings.model_copy(update={"api": api_settings.api.model_copy(update={"body_seconds": 0.5})})
    async with served(quick, database, temporal_env.client) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\nContent-Length: 1000\r\n"
        writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode())

        async def drip() -> None:
            while True:
                writer.write(b" ")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        answer = b""
        with suppress(ConnectionResetError):  # it closes while we still drip
            while piece := await asyncio.wait_for(reader.read(1000), 5):
                answer += piece
        dripping.cancel()
        writer.close()
    # A secret address that is none is refused without waiting for its body.
    assert answer.split(b" ")[1] in (b"408", b"404")
    assert b"408" in answer.split(b"\r\n")[0] or path.startswith("/cb/")


async def test_a_body_in_time_is_taken_however_long_its_answer_takes(door: Door) -> None:
    answer = await door.admin.post("/api/v1/keys", json={"name": "x", "scopes": ["partners:read"]})
    assert answer.status_code == 201


# ------------------------------------------------------------------------------------------------------------- browsers


@pytest.mark.parametrize("path", ["/api/v1/partners", "/health/live", "/nothing", "/openapi.json", "/cb/hooks/none/"])
async def test_every_answer_forbids_a_browser_everything(door: Door, path: str) -> None:
    headers = (await door.admin.get(path)).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "strict-transport-security" not in headers


async def test_production_tells_browsers_never_to_come_without_tls(
    api_settings: Settings, database: Database, temporal_env: WorkflowEnvironment
) -> None:
    settings = api_settings.model_copy(update={"environment": "production"})
    async with open_door(settings, database, temporal_env.client) as door:
        assert "max-age=" in (await door.visitor().get("/health/live")).headers["strict-transport-security"]


@pytest.mark.parametrize("path", ["/api/v1/partners/", "/docs/", "/health/live/", "/cb/hooks/x"])
async def test_the_host_header_shapes_no_redirect(door: Door, path: str) -> None:
    answer = await door.admin.get(path, headers={"Host": "stranger.example"})
    assert answer.status_code == 404
    assert "location" not in answer.headers
    home = await door.visitor().get("/", headers={"Host": "stranger.example"})
    assert home.headers["location"] == "/docs"


# --------------------------------------------------------------------------------------------------------- wrong keys


async def test_a_source_that_guesses_is_slowed_down_and_others_are_not(door: Door) -> None:
    guesser = door.visitor("kvk_guess000_x", address="203.0.113.9")
    statuses = [(await guesser.get("/api/v1/partners")).status_code for _ in range(25)]
    assert statuses[:20] == [401] * 20
    assert set(statuses[20:]) == {429}
    assert "retry-after" in (await guesser.get("/api/v1/partners")).headers
    # Another guess, even a right one that was never seen, waits; a key that is known comes in from the same address.
    assert (await door.visitor("kvk_other000_x", address="203.0.113.9").get("/api/v1/partners")).status_code == 429
    assert (await door.visitor("kvk_other000_x", address="203.0.113.10").get("/api/v1/partners")).status_code == 401
    await door.admin.get("/api/v1/partners")
    assert (await door.visitor(ADMIN_KEY, address="203.0.113.9").get("/api/v1/partners")).status_code == 200


async def test_behind_our_proxy_the_source_is_who_the_proxy_saw(
    api_settings: Settings, database: Database, temporal_env: WorkflowEnvironment
) -> None:
    callbacks = api_settings.callbacks.model_copy(update={"trusted_proxies": ["10.0.0.7"]})
    settings = api_settings.model_copy(update={"callbacks": callbacks})
    async with open_door(settings, database, temporal_env.client) as door:
        first, second = [
            door.visitor("kvk_guess000_x", address="10.0.0.7", **{"X-Forwarded-For": source})
            for source in ("203.0.113.9", "203.0.113.10")
        ]
        for _ in range(21):
            last = (await first.get("/api/v1/partners")).status_code
        assert last == 429
        assert (await second.get("/api/v1/partners")).status_code == 401


def test_guesses_cost_bounded_memory_and_a_network_is_one_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.wrong_keys._MOST_SOURCES", 100)
    wrong = WrongKeys(1, clock=lambda: 0.0)
    for number in range(1000):
        wrong.was_wrong(f"203.0.{number % 250}.{number // 250}", "x")
    assert len(wrong._buckets) == 100
    wrong.was_wrong("2a00:1450::1", "x")
    with pytest.raises(Throttled):
        wrong.admit("2a00:1450::ffff:2", "y")
    wrong.admit("2a00:1450:0:1::1", "y")


def test_a_revoked_key_is_a_guess_like_any_other() -> None:
    wrong = WrongKeys(1, clock=lambda: 0.0)
    wrong.was_right("k")
    wrong.was_wrong("203.0.113.9", "k")
    with pytest.raises(Throttled):
        wrong.admit("203.0.113.9", "k")


# ------------------------------------------------------------------------------------------------------------- metrics


async def test_in_production_metrics_are_for_admins_and_the_token(
    api_settings: Settings, database: Database, temporal_env: WorkflowEnvironment
) -> None:
    settings = api_settings.model_copy(update={"environment": "production", "metrics": Metrics(token=SecretStr(TOKEN))})
    async with open_door(settings, database, temporal_env.client) as door:
        reader = await door.key("partners:read")
        statuses = [
            (await visitor.get("/metrics")).status_code
            for visitor in (door.visitor(), door.visitor("wrong"), reader, door.visitor(TOKEN), door.admin)
        ]
        assert statuses == [401, 401, 403, 200, 200]
        put_services(door.app, replace(door.services, settings=settings.model_copy(update={"metrics": Metrics()})))
        assert (await door.visitor().get("/metrics")).status_code == 401


async def test_with_a_port_of_their_own_metrics_are_nowhere_else(
    api_settings: Settings, database: Database, temporal_env: WorkflowEnvironment
) -> None:
    port = free_port()
    settings = api_settings.model_copy(update={"metrics": Metrics(port=port)})
    async with open_door(settings, database, temporal_env.client) as door:
        assert (await door.admin.get("/metrics")).status_code == 404
        async with httpx.AsyncClient(verify=False, trust_env=False) as scraper:
            numbers = await scraper.get(f"http://127.0.0.1:{port}/metrics")
        assert "kivuko_http_requests_total" in numbers.text
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)


# --------------------------------------------------------------------------------------------------- suspended partners


async def test_a_suspended_partners_keys_read_and_change_nothing(door: Door) -> None:
    partner_id = await door.lender()
    scopes = (
        "partners:read", "partners:write", "disbursements:read", "disbursements:write", "collections:write",
        "top-ups:write", "float-purchases:write", "disbursements:resolve",
    )  # fmt: skip
    lender = await door.key(*scopes, partner_id=partner_id)
    path = f"/api/v1/partners/{partner_id}"
    assert (await lender.patch(path, json={"language": "sw"})).status_code == 200
    await door.admin.patch(path, json={"status": "suspended"})
    tried = [
        await lender.patch(path, json={"language": "en"}),
        await lender.post(f"{path}/contacts", json={"name": "Eve", "phone": "+254711000333"}),
        await lender.delete(f"{path}/contacts/cnt_01ktv0r5m8e9a7d3c2b4x6y8z0"),
        await lender.put(f"{path}/connections/fineract", json={}),
        await lender.post("/api/v1/disbursements", json={"loan_id": 91}),
        await lender.post("/api/v1/float-purchases/flt_01ktv0r5m8e9a7d3c2b4x6y8z0/confirm", json={"code": "123456"}),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in tried} == {(403, "partner_suspended")}
    assert (await lender.get(path)).json()["language"] == "sw"
    assert (await door.admin.patch(path, json={"status": "active"})).status_code == 200
    assert (await lender.patch(path, json={"language": "en"})).status_code == 200


# ----------------------------------------------------------------------------------------------------- a request's own id


async def test_every_answer_says_which_request_it_is_of(door: Door) -> None:
    visitor = door.visitor()
    answers = [await visitor.get(path) for path in ("/health/live", "/nowhere", "/api/v1/partners", "/cb/in/x/confirm")]
    ids = [answer.headers["X-Request-Id"] for answer in answers]
    assert all(one.startswith("req_") for one in ids)
    assert len(set(ids)) == len(ids)


async def test_a_callers_own_id_is_kept_if_it_is_fit_to_stand_in_a_log(door: Door) -> None:
    visitor = door.visitor()
    fit = ["4bf92f3577b34da6a3ce929d0e0e4736", "till-7:2026.11.30", "a"]
    for given in fit:
        assert (await visitor.get("/health/live", headers={"X-Request-Id": given})).headers["X-Request-Id"] == given
    for given in ("", "x" * 65, "a b", "[31mred", "<script>"):
        answer = await visitor.get("/health/live", headers={"X-Request-Id": given})
        assert answer.headers["X-Request-Id"].startswith("req_")
    twice = await visitor.get("/health/live", headers=[("X-Request-Id", "a"), ("X-Request-Id", "b")])
    assert twice.headers["X-Request-Id"].startswith("req_")


async def test_every_log_line_of_a_request_names_it(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    await door.visitor().get("/api/v1/partners", headers={"X-Request-Id": "find-me-1"})
    await door.visitor().get("/api/v1/partners", headers={"X-Request-Id": "find-me-2"})
    assert [caplog.text.count(f"find-me-{number}") for number in (1, 2)] == [1, 1]
