"""Every error is a problem document, and none tells more than it should."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from fastapi import Request
from sqlalchemy.exc import OperationalError

from api.http import problems
from api.http.dependencies import put_services
from core import errors
from core.ids import new_id
from store.database import Database
from tests.api.conftest import Door

CONTENT_TYPE = "application/problem+json"


async def test_an_unknown_route_is_a_problem(door: Door) -> None:
    answer = await door.admin.get("/api/v1/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["content-type"] == CONTENT_TYPE
    assert answer.json()["type"] == "/problems/not_found"


async def test_a_wrong_method_is_a_problem_that_names_the_right_ones(door: Door) -> None:
    answer = await door.admin.put("/api/v1/keys", json={})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"]


@pytest.mark.parametrize("body", [b"{", b"{'a': 1}", b"\xff\xfe", b'{"loan_id": 91} trailing', b"[" * 100_000])
async def test_a_body_that_is_not_json_is_malformed(door: Door, body: bytes) -> None:
    answer = await door.admin.post("/api/v1/disbursements", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == CONTENT_TYPE
    assert answer.json()["code"].startswith("malformed")


async def test_a_body_of_another_type_is_refused(door: Door) -> None:
    answer = await door.admin.post(
        "/api/v1/disbursements", content=b"loan_id=91", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_a_body_that_announces_too_much_is_refused(door: Door) -> None:
    body = b" " * (door.settings.api.max_body_bytes + 1)
    answer = await door.admin.post("/api/v1/disbursements", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_body_that_grows_too_large_without_announcing_it_is_refused(door: Door) -> None:
    async def flood() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 10_000

    answer = await door.admin.post(
        "/api/v1/disbursements", content=flood(), headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_bug_tells_the_caller_an_id_and_nothing_else(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(request: Request) -> None:
        raise RuntimeError("phone +254712345678, password hunter2")

    door.app.add_api_route("/api/v1/broken", broken)
    answer = await door.visitor().get("/api/v1/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.json()["instance"].startswith("/incidents/inc_")
    for text in (answer.text, caplog.text):
        assert "hunter2" not in text
        assert "254712345678" not in text
    assert answer.json()["instance"].rsplit("/", 1)[1] in caplog.text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidRequest("x", field="a.b"), 422),
        (errors.NotFound("x"), 404),
        (errors.Conflict("x"), 409),
        (errors.NotAllowed("x"), 403),
        (errors.LimitExceeded("x"), 422),
        (errors.InsufficientFunds("x"), 409),
        (errors.Rejected("x"), 422),
        (errors.Throttled("x"), 429),
        (errors.Busy("x"), 503),
        (errors.NotReached("x"), 503),
        (errors.NoAnswer("x"), 502),
        (errors.Garbled("x"), 502),
        (OperationalError("SELECT secret", {}, Exception("secret")), 503),
    ],
)
async def test_each_kind_of_error_has_its_status(door: Door, error: Exception, status: int) -> None:
    async def fails(request: Request) -> None:
        raise error

    door.app.add_api_route("/api/v1/fails", fails)
    answer = await door.visitor().get("/api/v1/fails")
    assert answer.status_code == status
    assert answer.headers["content-type"] == CONTENT_TYPE
    assert "secret" not in answer.text
    if status in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
    if isinstance(error, errors.InvalidRequest):
        assert answer.json()["errors"] == [{"field": "a.b", "rule": "invalid_request", "detail": "x"}]


async def test_a_database_that_is_away_is_a_503_and_no_leak(door: Door) -> None:
    away = Database("postgresql://nobody:topsecret@127.0.0.1:9/none")

    async def reads(request: Request) -> None:
        async with away.transaction() as session:
            await session.connection()

    door.app.add_api_route("/api/v1/reads", reads)
    answer = await door.visitor().get("/api/v1/reads")
    await away.close()
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert "topsecret" not in answer.text


async def test_requests_are_counted_by_route_and_never_by_path(door: Door) -> None:
    partner_id = await door.lender()
    await door.admin.get(f"/api/v1/partners/{partner_id}")
    await door.admin.get("/api/v1/nothing-like-this")
    numbers = (await door.visitor().get("/metrics")).text
    assert 'kivuko_http_requests_total{method="GET",route="/api/v1/partners/{partner_id}",status="200"} 1.0' in numbers
    assert 'route="(none)",status="404"' in numbers
    assert partner_id not in numbers
    assert "nothing-like-this" not in numbers


async def test_the_root_leads_to_the_documents(door: Door) -> None:
    answer = await door.visitor().get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
    assert (await door.visitor().get("/docs")).status_code == 200


async def test_health_tells_what_is_away(door: Door) -> None:
    assert (await door.visitor().get("/health/live")).json() == {"status": "ok"}
    ready = await door.visitor().get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "database": "ok", "temporal": "ok"})
    away = Database("postgresql://nobody@127.0.0.1:9/none")
    put_services(door.app, replace(door.services, database=away))
    ready = await door.visitor().get("/health/ready")
    put_services(door.app, replace(door.services, database=door.database))
    await away.close()
    assert (ready.status_code, ready.json()["database"], ready.json()["temporal"]) == (503, "unavailable", "ok")
    # Storing a callback needs the database alone: a proxy must not drop this process while Temporal is away.
    async with door.without_temporal():
        ready = await door.visitor().get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "database": "ok", "temporal": "unavailable"})


async def test_the_documents_examples_are_what_callers_meet(door: Door) -> None:
    """Word for word, for every status that a caller can provoke without anything being out of order."""
    lacking = await door.key("top-ups:read")
    top_ups = "/api/v1/top-ups"
    big = b" " * (door.settings.api.max_body_bytes + 1)
    headers = {"Idempotency-Key": "one", "Content-Type": "application/json"}
    met = [
        await door.admin.post("/api/v1/partners", content=b"{", headers=headers),
        await door.visitor().get(top_ups),
        await lacking.post(top_ups, json={"amount": {"amount": "1.00", "currency": "KES"}}, headers=headers),
        await door.admin.get(f"/api/v1/partners/{new_id('prt')}"),
        await door.admin.post("/api/v1/partners", content=big, headers=headers),
        await door.admin.post("/api/v1/partners", content=b"a=1", headers={**headers, "Content-Type": "text/plain"}),
        await door.admin.post(top_ups, json={"amount": {"amount": "1.00"}}, headers=headers),
    ]
    assert [answer.status_code for answer in met] == [400, 401, 403, 404, 413, 415, 422]
    for answer in met:
        told, shown = answer.json(), problems.example(answer.status_code)
        assert {name: told.get(name) for name in shown} == shown, answer.status_code
