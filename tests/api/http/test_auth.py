"""Keys: who gets in, what they see, and that the keys themselves are nowhere."""

import pytest
from sqlalchemy import text
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from api.http.auth import prefix_of
from api.http.rate_limit import RateLimit
from core.errors import Throttled
from core.settings import Settings
from models.tables.platform.security import ApiKey
from store.database import Database
from tests.api.conftest import ADMIN_KEY, Door


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer kvk_nobody00_x", "Basic YTpi", "Bearer kvk__"])
async def test_without_a_living_key_nobody_gets_in(door: Door, header: str | None) -> None:
    answer = await door.visitor().get("/api/v1/partners", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_authenticated"


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(door: Door) -> None:
    body = {"name": "loan app", "scopes": ["disbursements:read"]}
    made = (await door.admin.post("/api/v1/keys", json=body, headers={"Idempotency-Key": "k1"})).json()
    assert made["key"].startswith(f"kvk_{made['prefix']}_")
    listed = (await door.admin.get("/api/v1/keys")).json()["items"]
    assert [item["name"] for item in listed] == ["loan app", "bootstrap"]
    assert all("key" not in item and "hash" not in item for item in listed)
    secret = made["key"].split("_", 2)[2]
    for table in ("api_keys", "audit_log", "idempotency_keys"):
        async with door.database.transaction() as session:
            rows = await (await session.connection()).execute(text(f"SELECT t::text FROM {table} t"))
            assert not [row for row in rows.scalars() if secret in row]


async def test_a_repeated_request_for_a_key_gets_the_same_key(door: Door) -> None:
    body = {"name": "loan app", "scopes": ["disbursements:read"]}
    answers = [await door.admin.post("/api/v1/keys", json=body, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert len(await door.rows(ApiKey)) == 2


async def test_without_an_idempotency_key_the_name_tells_a_repeated_request(door: Door) -> None:
    body = {"name": "loan app", "scopes": ["disbursements:read"]}
    first, second = [await door.admin.post("/api/v1/keys", json=body) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 409)
    assert second.json()["errors"][0]["field"] == "name"


async def test_a_revoked_key_is_refused_at_once(door: Door) -> None:
    made = (await door.admin.post("/api/v1/keys", json={"name": "x", "scopes": ["partners:read"]})).json()
    visitor = door.visitor(made["key"])
    assert (await visitor.get("/api/v1/partners")).status_code == 200
    revoked = await door.admin.delete(f"/api/v1/keys/{made['id']}")
    assert revoked.json()["revoked_at"] is not None
    assert (await visitor.get("/api/v1/partners")).status_code == 401
    again = await door.admin.delete(f"/api/v1/keys/{made['id']}")
    assert again.json()["revoked_at"] == revoked.json()["revoked_at"]
    assert len(await door.audit("keys.revoke")) == 1


async def test_a_key_without_the_scope_is_refused_with_the_scope_named(door: Door) -> None:
    reader = await door.key("partners:read")
    answer = await reader.post("/api/v1/disbursements", json={"loan_id": 91})
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert answer.json()["facts"] == {"scope": "disbursements:write"}


@pytest.mark.parametrize("scope", ["admin", "wallets:credit"])
async def test_a_partners_key_never_gets_a_scope_of_the_house(door: Door, scope: str) -> None:
    partner_id = await door.lender()
    body = {"name": "x", "scopes": ["partners:read", scope], "partner_id": partner_id}
    answer = await door.admin.post("/api/v1/keys", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "scopes")


async def test_a_key_of_the_house_without_admin_makes_no_keys(door: Door) -> None:
    creditor = await door.key("wallets:credit", "partners:write")
    answer = await creditor.post("/api/v1/keys", json={"name": "x", "scopes": ["admin"]})
    assert answer.status_code == 403


async def test_a_partners_key_sees_its_own_partner_alone(door: Door) -> None:
    mine, other = await door.lender("Mine"), await door.lender("Other")
    scopes = ("partners:read", "partners:write", "wallets:read", "disbursements:read", "disbursements:write")
    visitor = await door.key(*scopes, partner_id=mine)
    assert [item["id"] for item in (await visitor.get("/api/v1/partners")).json()["items"]] == [mine]
    assert (await visitor.get(f"/api/v1/partners/{mine}")).status_code == 200
    for method, path, body in (
        ("GET", f"/partners/{other}", None),
        ("PATCH", f"/partners/{other}", {"language": "sw"}),
        ("GET", f"/partners/{other}/hook", None),
        ("GET", f"/partners/{other}/wallet", None),
        ("GET", f"/partners/{other}/wallet/entries", None),
        ("GET", f"/partners/{other}/loan-products", None),
        ("POST", f"/partners/{other}/loan-products/fetch", None),
        ("GET", f"/partners/{other}/provider-balances", None),
        ("POST", f"/partners/{other}/connections/daraja/check", None),
        ("POST", f"/partners/{other}/contacts", {"name": "A", "email": "a@example.com"}),
        ("POST", "/disbursements", {"partner_id": other, "loan_id": 1}),
        ("GET", f"/disbursements?partner_id={other}", None),
        ("GET", f"/cases?partner_id={other}", None),
        ("GET", f"/exchanges?partner_id={other}", None),
    ):
        answer = await visitor.request(method, f"/api/v1{path}", json=body)
        assert answer.status_code == 404, (method, path, answer.text)
        assert other not in answer.text


async def test_a_key_that_asks_too_often_is_told_when_to_come_back(
    api_settings: Settings, database: Database, temporal_env: WorkflowEnvironment
) -> None:
    slow = api_settings.model_copy(update={"api": api_settings.api.model_copy(update={"rate_per_minute": 12})})
    app = create_app(slow, database=database, client=temporal_env.client)
    async with app.router.lifespan_context(app):
        visitor = Door(app, slow, database, temporal_env.client).admin
        answers = [await visitor.get("/api/v1/partners") for _ in range(3)]
        await visitor.aclose()
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 5
    assert answers[2].json()["code"] == "rate_limited"


def test_the_bucket_fills_again_with_time() -> None:
    now = 0.0
    limit = RateLimit(60, clock=lambda: now)
    for _ in range(10):
        limit.take("a")
    with pytest.raises(Throttled) as refusal:
        limit.take("a")
    assert refusal.value.retry_after is not None
    assert refusal.value.retry_after.total_seconds() == pytest.approx(1)
    limit.take("b")
    now = 1.5
    limit.take("a")


async def test_a_revoked_bootstrap_key_stays_revoked_after_a_restart(door: Door) -> None:
    (row,) = await door.rows(ApiKey)
    assert (await door.admin.delete(f"/api/v1/keys/{row.id}")).status_code == 200
    again = create_app(door.settings, database=door.database, client=door.client)
    async with again.router.lifespan_context(again):
        visitor = Door(again, door.settings, door.database, door.client).admin
        assert (await visitor.get("/api/v1/partners")).status_code == 401
        await visitor.aclose()
    assert len(await door.rows(ApiKey)) == 1


def test_a_key_of_a_foreign_form_shows_nothing_of_itself() -> None:
    assert prefix_of(ADMIN_KEY) == "testadm1"
    assert prefix_of("my-own-secret") == "given"
