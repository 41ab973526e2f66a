"""What `kivuko up` puts into a fresh installation: an admin key, tariffs, one lender with its simulated systems.

Every step may be repeated: a start that was interrupted in the middle is completed by the next one, and what a person
has changed since is left alone. Lender and products go through the API, as a real lender's would.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from temporalio.client import Client

from cli.bootstrap import ensure_admin_key
from cli.context import open_database
from cli.demo_lender import CONTACTS, CURRENCY, DARAJA_APP, FINERACT_LOGIN, FLAT_FEES, LENDER, TENANT
from cli.http import ApiClient
from core.clock import utc_now
from core.settings import Settings
from temporal.schedules import ensure_loan_watch


@dataclass(frozen=True)
class Seeded:
    """The demo lender."""

    partner_id: str
    partner_name: str = LENDER


async def seed(settings: Settings, client: Client, tell: Callable[[str, str], None]) -> Seeded:
    """Makes what is missing. `settings` are those of the running stack. Raises Failure, naming the step's problem."""
    async with open_database(settings) as database:
        key = await ensure_admin_key(settings, database)
        tell("admin key", "in place")
    api = f"http://{settings.api.host}:{settings.api.port}"
    partner_id = await asyncio.to_thread(_seed_lender, settings, api, key, tell)
    await ensure_loan_watch(client, partner_id)
    return Seeded(partner_id)


def _ensure_flat_fees(api: ApiClient, tell: Callable[[str, str], None]) -> None:
    """Processing and SMS fees for every amount, if there are none of the kind (Safaricom's own come by migration)."""
    bands = []
    for charge, fee in FLAT_FEES.items():
        if any(band["partner_id"] is None for band in api.pages("/tariffs", charge=charge)):
            continue
        ends = {"from_amount": "0.00", "to_amount": "999999999.99", "fee": fee}
        amounts = {name: {"amount": amount, "currency": CURRENCY} for name, amount in ends.items()}
        bands.append({"charge": charge, "valid_from": utc_now().isoformat(), **amounts})
    if bands:
        api.post("/tariffs", {"bands": bands})
        tell("tariffs", "in place")


def _seed_lender(settings: Settings, url: str, key: str, tell: Callable[[str, str], None]) -> str:
    simulators = f"http://{settings.simulators.host}:{settings.simulators.port}"
    with ApiClient(url, key) as api, httpx.Client(base_url=simulators, timeout=20) as world:
        _ensure_flat_fees(api, tell)
        world.post("/daraja/simulator/apps", json=DARAJA_APP).raise_for_status()
        connections = _connections(simulators, world.get("/daraja/simulator/certificate").raise_for_status().text)
        partner = next((one for one in api.pages("/partners") if one["name"] == LENDER), None)
        if partner is None:
            partner = api.post(
                "/partners",
                {
                    "name": LENDER,
                    "currency": CURRENCY,
                    "country": "KE",
                    "timezone": "Africa/Nairobi",
                    "language": "en",
                    "low_balance": {"amount": "500.00", "currency": CURRENCY},
                    "contacts": list(CONTACTS),
                    **connections,
                },
            )
            tell("demo lender", "made and its connections checked")
        partner_id = str(partner["id"])
        _follow_the_ports(api, partner_id, connections, tell)
        _enable_products(api, partner_id, tell)
        _fund(api, partner_id)
        ensure_hook(world, api.get(f"/partners/{partner_id}/hook"))
        tell("demo lender", "ready")
        return partner_id


def _connections(simulators: str, certificate: str) -> dict[str, dict[str, Any]]:
    username, password = FINERACT_LOGIN
    return {
        "fineract": {
            "base_url": f"{simulators}/fineract/fineract-provider/api",
            "tenant": TENANT,
            "username": username,
            "password": password,
        },
        "daraja": {
            "base_url": f"{simulators}/daraja",
            "certificate_pem": certificate,
            **{
                name: DARAJA_APP[name]
                for name in ("shortcode", "initiator_name", "initiator_password", "consumer_key", "consumer_secret")
            },
        },
    }


def _follow_the_ports(
    api: ApiClient, partner_id: str, connections: dict[str, dict[str, Any]], tell: Callable[[str, str], None]
) -> None:
    """The simulators may have moved to another port since the last start."""
    known = {one["provider"]: one for one in api.get(f"/partners/{partner_id}")["connections"]}
    for provider, wanted in connections.items():
        if provider not in known or known[provider]["settings"]["base_url"] != wanted["base_url"]:
            api.put(f"/partners/{partner_id}/connections/{provider}", wanted)
            tell("demo lender", f"{provider} connection given anew")


def _enable_products(api: ApiClient, partner_id: str, tell: Callable[[str, str], None]) -> None:
    """Fetched and enabled once; a product that somebody switched off later stays off."""
    products = f"/partners/{partner_id}/loan-products"
    if api.get(products)["items"]:
        return
    api.post(f"{products}/fetch")
    for product in api.get(products)["items"]:
        api.put(
            f"{products}/{product['product_id']}",
            {
                "enabled": True,
                "minimum": {"amount": "100.00", "currency": product["currency"]},
                "maximum": {"amount": "150000.00", "currency": product["currency"]},
                "daily_limit": {"amount": "5000000.00", "currency": product["currency"]},
                "above_maximum": "split" if product["product_id"] == 3 else "refuse",
            },
        )
    tell("loan products", "fetched and enabled")


def _fund(api: ApiClient, partner_id: str) -> None:
    """The reference makes it happen once."""
    api.post(
        f"/partners/{partner_id}/wallet/credits",
        {
            "amount": {"amount": "5000.00", "currency": CURRENCY},
            "reference": "DEMO-OPENING",
            "note": "opening balance",
        },
        key=f"demo-opening-{partner_id}",
    )


def ensure_hook(world: httpx.Client, address: dict[str, Any]) -> None:
    """Registers our address at the simulated Fineract as a bank's administrator would, by the real protocol."""
    hooks = "/fineract/fineract-provider/api/v1/hooks"
    headers = {"Fineract-Platform-TenantId": TENANT}
    shown = world.get(hooks, headers=headers, auth=FINERACT_LOGIN).raise_for_status().json()
    if any(
        field.get("fieldName") == "Payload URL" and field.get("fieldValue") == address["url"]
        for hook in shown
        for field in hook["config"]
    ):
        return
    body = {
        "name": "Web",
        "isActive": True,
        "displayName": "kivuko",
        "events": [{"entityName": event["entity"], "actionName": event["action"]} for event in address["events"]],
        "config": {"Payload URL": address["url"], "Content Type": "json"},
    }
    world.post(hooks, json=body, headers=headers, auth=FINERACT_LOGIN).raise_for_status()
