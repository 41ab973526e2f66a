"""The demo lender's simulated systems: made once, mended where an older version left them short, moved with our addresses."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from cli.demo.lender import BANK_ACCOUNTS, FINERACT_LOGIN, SHORTCODE, TENANT, WALLET_ACCOUNT
from cli.demo.seed_outside import ensure_bank_pushes, ensure_hook, ensure_paybill, open_systems
from cli.http import ApiClient
from simulators.bank.models import SUBSCRIPTIONS
from simulators.daraja.models import C2B_URLS
from tests.cli.conftest import Answering
from tests.support.simulator_server import RunningSimulators

PRT = "prt_01ktv0r5m8e9a7d3c2b4x6y8z0"
HOOKS = "/fineract/fineract-provider/api/v1/hooks"
APPROVED = {"entity": "LOAN", "action": "APPROVE"}
REPAID = {"entity": "LOAN", "action": "REPAYMENT"}


@pytest.fixture
def world(simulators: RunningSimulators) -> Iterator[httpx.Client]:
    with httpx.Client(verify=False, base_url=simulators.url, timeout=10) as http:
        yield http


@pytest.fixture
def api(answering: Answering) -> Iterator[ApiClient]:
    with ApiClient(answering.url, "kvk_a_b") as client:
        yield client


def hooks(world: httpx.Client) -> list[dict[str, Any]]:
    headers = {"Fineract-Platform-TenantId": TENANT}
    return list(world.get(HOOKS, headers=headers, auth=FINERACT_LOGIN).raise_for_status().json())


def address(url: str, *events: dict[str, str]) -> dict[str, Any]:
    return {"url": url, "events": list(events)}


def probed(answering: Answering) -> str:
    """An address that answers the probe which Fineract sends whenever a hook is written."""
    answering.will(200, {})
    return f"{answering.url}/cb/hooks/secret/"


def test_a_hook_is_made_once(world: httpx.Client, answering: Answering) -> None:
    url = probed(answering)
    for _ in range(2):
        ensure_hook(world, address(url, APPROVED, REPAID))
    [hook] = hooks(world)
    assert [event["actionName"] for event in hook["events"]] == ["APPROVE", "REPAYMENT"]


def test_an_older_hook_gets_the_events_that_it_lacks_and_keeps_its_own(
    world: httpx.Client, answering: Answering
) -> None:
    url = probed(answering)
    ensure_hook(world, address(url, APPROVED, {"entity": "CLIENT", "action": "CREATE"}))
    probed(answering)
    ensure_hook(world, address(url, APPROVED, REPAID))
    [hook] = hooks(world)
    assert [event["actionName"] for event in hook["events"]] == ["APPROVE", "CREATE", "REPAYMENT"]


def test_a_hook_that_somebody_switched_off_stays_off(world: httpx.Client, answering: Answering) -> None:
    url = probed(answering)
    ensure_hook(world, address(url, APPROVED))
    [hook] = hooks(world)
    probed(answering)
    body = {
        "name": "Web", "isActive": False, "displayName": "kivuko", "events": hook["events"],
        "config": {"Payload URL": url, "Content Type": "json"},
    }  # fmt: skip
    headers = {"Fineract-Platform-TenantId": TENANT}
    world.put(f"{HOOKS}/{hook['id']}", json=body, headers=headers, auth=FINERACT_LOGIN).raise_for_status()
    probed(answering)
    ensure_hook(world, address(url, APPROVED, REPAID))
    [hook] = hooks(world)
    assert (hook["isActive"], len(hook["events"])) == (False, 2)


def test_opening_the_systems_again_refills_nothing(world: httpx.Client) -> None:
    open_systems(world)
    world.post("/bank/simulator/deposits", json={"account": WALLET_ACCOUNT, "amount": "2500.00"}).raise_for_status()
    open_systems(world)
    balances = {row["number"]: row["balance"] for row in world.get("/books/bank/accounts").json()}
    assert balances[WALLET_ACCOUNT] == "252500.00"


def test_the_banks_pushes_follow_our_address(
    world: httpx.Client, api: ApiClient, answering: Answering, simulators: RunningSimulators
) -> None:
    open_systems(world)
    for url in ("http://127.0.0.1:8000/cb/bank/secret/", "http://127.0.0.1:8111/cb/bank/secret/"):
        answering.will(200, {"provider": "bank", "items": [{"purpose": "push", "url": url}]})
        ensure_bank_pushes(world, api, PRT)
        subscribed = {one["account"]: one["url"] for one in simulators.world.documents.all(SUBSCRIPTIONS)}
        assert subscribed == {account["number"]: url for account in BANK_ACCOUNTS}


@pytest.mark.parametrize(("registered", "left"), [("8000", []), ("8111", ["8111"])])
def test_paybill_addresses_that_are_out_of_date_are_deleted_before_new_ones_are_registered(
    world: httpx.Client, api: ApiClient, answering: Answering, simulators: RunningSimulators, registered: str,
    left: list[str],
) -> None:  # fmt: skip
    def url(port: str) -> str:
        return f"http://127.0.0.1:{port}/cb/in/secret/confirm"

    kept = {"shortcode": SHORTCODE, "confirmation": url(registered)}
    simulators.world.documents.put(C2B_URLS, SHORTCODE, kept)
    answering.will(200, {"provider": "daraja", "items": [{"purpose": "confirm", "url": url("8111")}]})
    answering.will(200, {"announcements": "newly_registered", "pull": "newly_registered"})
    ensure_paybill(world, api, PRT)
    assert [one["confirmation"] for one in world.get("/daraja/simulator/c2b-urls").json()] == [url(p) for p in left]
    assert answering.asked[-1][:2] == ("POST", f"/api/v1/partners/{PRT}/connections/daraja/register-paybill")
