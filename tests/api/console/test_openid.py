"""Signing in by an identity provider, over real HTTP with the simulated one: who comes in, and what proves nothing."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from temporalio.testing import WorkflowEnvironment

from api.console import openid_client
from core.settings import OpenId, Settings
from models.tables.platform.signing_in import BrowserSession
from simulators.openid.routes import CLIENT_ID, CLIENT_SECRET
from store.database import Database
from tests.api.conftest import open_door
from tests.api.console.conftest import HOST, Browser, Street
from tests.support.simulator_server import RunningSimulators

START, BACK = "/console/openid/start", "/console/openid/back"


@pytest.fixture
async def town(
    api_settings: Settings, database: Database, temporal_env: WorkflowEnvironment, simulators: RunningSimulators
) -> AsyncIterator[Street]:
    """A street whose people are known to the simulated provider."""
    openid_client.forget()
    provider = OpenId(
        issuer=f"{simulators.url}/openid", client_id=CLIENT_ID, client_secret=SecretStr(CLIENT_SECRET), name="Jaza"
    )
    console = api_settings.console.model_copy(update={"openid": provider, "base_url": HOST})
    settings = api_settings.model_copy(update={"console": console})
    async with open_door(settings, database, temporal_env.client) as door:
        yield Street(door)


async def to_provider(simulators: RunningSimulators, address: str, email: str = "grace@example.com") -> httpx.URL:
    """What the provider answers at the address that the browser was sent to: where it sends the browser."""
    async with httpx.AsyncClient() as provider:
        await provider.post(f"{simulators.url}/openid/simulator/person", json={"email": email})
        answer = await provider.get(address)
    assert answer.status_code == 302, answer.text
    return httpx.URL(answer.headers["location"])


async def fault(simulators: RunningSimulators, action: str) -> None:
    async with httpx.AsyncClient() as provider:
        await provider.post(
            f"{simulators.url}/faults", json={"faults": [{"operation": "openid.token", "action": action}]}
        )


async def there_and_back(town: Street, simulators: RunningSimulators, **more: str) -> Browser:
    browser = town.browser()
    page = await browser.get("/console/sign-in?then=/console/top-ups")
    assert "Sign in with Jaza" in page.text
    await browser.get(next(link for link in page.links if link.startswith(START)))
    back = await to_provider(simulators, browser.location, **more)
    assert str(back).startswith(f"{HOST}{BACK}?code=")
    # The provider's page led here, so that browsers say that the request comes from another site.
    await browser.get(f"{back.raw_path.decode()}", **{"Sec-Fetch-Site": "cross-site"})
    return browser


async def test_whom_the_provider_vouches_for_comes_in(town: Street, simulators: RunningSimulators) -> None:
    person_id = await town.person("top-ups:read", email="grace@example.com")
    browser = await there_and_back(town, simulators, email="Grace@Example.com")
    assert (browser.status, browser.location) == (303, "/console/top-ups")
    await browser.get("/console/account")
    assert browser.status == 200
    (row,) = await town.door.rows(BrowserSession)
    assert (row.person_id, row.proven_by) == (person_id, "openid")
    (act,) = await town.door.audit("sessions.begin")
    assert (act.actor, act.person_id) == (row.id, person_id)


@pytest.mark.parametrize(
    "action",
    [
        "refuse", "down", "unverified", "other_nonce", "other_audience", "other_issuer", "expired", "other_key", "unsigned",
        "shared_secret", "no_nonce", "for_several",
    ],
)  # fmt: skip
async def test_what_proves_nothing_lets_nobody_in(town: Street, simulators: RunningSimulators, action: str) -> None:
    await town.person("top-ups:read", email="grace@example.com")
    await fault(simulators, action)
    browser = await there_and_back(town, simulators)
    assert browser.status == (503 if action == "down" else 403)
    assert await town.door.rows(BrowserSession) == []


@pytest.mark.parametrize("person", [
    {"email": "other@example.com"}, {"disabled": True}, {"scopes": ()},
])  # fmt: skip
async def test_a_stranger_to_us_stays_outside(
    town: Street, simulators: RunningSimulators, person: dict[str, Any]
) -> None:
    made = {"email": "grace@example.com", "scopes": ("top-ups:read",)} | person
    person_id = await town.person(*made["scopes"], email=made["email"])
    if person.get("disabled"):
        await town.door.admin.post(f"/api/v1/people/{person_id}/disable")
    browser = await there_and_back(town, simulators)
    assert (browser.status, "Nobody here has your address" in browser.answer.text) == (403, True)
    assert await town.door.rows(BrowserSession) == []


async def test_an_answer_counts_in_the_browser_that_asked_and_once(town: Street, simulators: RunningSimulators) -> None:
    """Else somebody could have another sign in as them (login CSRF), or use a code that was read in a log."""
    await town.person("top-ups:read", email="grace@example.com")
    asking, other = town.browser(), town.browser()
    await asking.get(START)
    back = (await to_provider(simulators, asking.location)).raw_path.decode()
    assert "out of date" in (await other.get(back)).text  # no errand of its own
    assert other.status == 403
    await other.get(START)  # another errand
    assert "out of date" in (await other.get(back)).text
    assert other.status == 403
    assert await town.door.rows(BrowserSession) == []
    await asking.get(back)
    assert asking.status == 303
    assert "out of date" in (await asking.get(back)).text  # its errand is over
    assert asking.status == 403
    assert len(await town.door.rows(BrowserSession)) == 1


async def test_a_code_is_of_no_use_without_the_verifier(town: Street, simulators: RunningSimulators) -> None:
    await town.person("top-ups:read", email="grace@example.com")
    victim, thief = town.browser(), town.browser()
    await victim.get(START)
    stolen = (await to_provider(simulators, victim.location)).params["code"]
    await thief.get(START)
    state = httpx.URL(thief.location).params["state"]
    await thief.get(f"{BACK}?code={stolen}&state={state}")
    assert thief.status == 403
    assert await town.door.rows(BrowserSession) == []


async def test_the_browser_is_sent_with_what_the_protocol_asks(town: Street) -> None:
    browser = town.browser()
    await browser.get(f"{START}?then=//evil.test")
    asked = httpx.URL(browser.location).params
    assert asked["redirect_uri"] == f"{HOST}{BACK}"
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert len(asked["state"]) > 20 < len(asked["nonce"])
    cookie = browser.answer.headers["set-cookie"]
    assert cookie.startswith("__Host-kivuko_errand=")
    for part in ("HttpOnly", "Secure", "SameSite=lax", "Max-Age=600"):
        assert part in cookie
    assert asked["state"] not in cookie
    await browser.get(f"{BACK}?error=access_denied&state={asked['state']}")
    assert browser.status == 403


async def test_a_provider_that_is_away_or_not_itself_is_said_so(town: Street, simulators: RunningSimulators) -> None:
    console = town.door.settings.console
    for issuer in ("http://127.0.0.1:9", f"{simulators.url}/openid/", f"{simulators.url}/damza"):
        provider = console.openid.model_copy(update={"issuer": issuer})
        settings = town.door.settings.model_copy(update={"console": console.model_copy(update={"openid": provider})})
        async with open_door(settings, town.door.database, town.door.client) as door:
            browser = Street(door).browser()
            page = await browser.get(START)
            assert (browser.status, "cannot be reached now" in page.text) == (503, True)


async def test_where_none_is_set_there_is_no_such_way(street: Street) -> None:
    browser = street.browser()
    assert START not in (await browser.get("/console/sign-in")).links
    for path in (START, f"{BACK}?code=x&state=y"):
        await browser.get(path)
        assert browser.status == 404
