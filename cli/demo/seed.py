"""What `kivuko up` puts into a fresh installation: an admin key, tariffs, one lender with its simulated systems.

Every step may be repeated: a start that was interrupted in the middle, or an installation that an older version made,
is completed by the next start, and what a person has changed since is left alone. Lender, connections and products go
through the API, as a real lender's would.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx
from temporalio.client import Client

from cli.bootstrap import ensure_admin_key
from cli.context import open_database
from cli.demo.lender import AUTHORISED_EMAIL, CONTACTS, CURRENCY, FLAT_FEES, LENDER, OPENING_CREDIT, WALLET_ACCOUNT
from cli.demo.seed_outside import connections, ensure_bank_pushes, ensure_hook, ensure_paybill, open_systems
from cli.demo.seed_people import PEOPLE, ensure_people, sign_in_addresses
from cli.http import ApiClient
from core.clock import utc_now
from core.settings import Settings
from temporal.schedules import ensure_watch

# What tells that a connection was given by an older version, which knew less of the system.
_SINCE: Final = {"daraja": "stk_shortcode"}

_OPENING: Final = "DEMO-OPENING"

Tell = Callable[[str, str], None]


@dataclass(frozen=True)
class Seeded:
    """The demo lender, and how its house's people sign in."""

    partner_id: str
    sign_in: dict[str, str]  # addresses at which the demo's people come in, once, by name
    partner_name: str = LENDER


async def seed(settings: Settings, client: Client, tell: Tell) -> Seeded:
    """Makes what is missing. `settings` are those of the running stack. Raises Failure, naming the step's problem."""
    async with open_database(settings) as database:
        key = await ensure_admin_key(settings, database)
        tell("admin key", "in place")
    api = f"http://{settings.api.host}:{settings.api.port}"
    partner_id = await asyncio.to_thread(_seed_lender, settings, api, key, tell)
    # The API makes them with the connections; an older version's installation has not got all of them.
    for provider in ("fineract", "daraja", "bank"):
        await ensure_watch(client, provider, partner_id)
    async with open_database(settings) as database:
        return Seeded(partner_id, await sign_in_addresses(settings, database))


def _seed_lender(settings: Settings, url: str, key: str, tell: Tell) -> str:
    simulators = f"http://{settings.simulators.host}:{settings.simulators.port}"
    with ApiClient(url, key) as api, httpx.Client(base_url=simulators, timeout=20) as world:
        _ensure_flat_fees(api, tell)
        open_systems(world)
        given = connections(simulators, world)
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
                    **given,
                },
            )
            tell("demo lender", "made and its connections checked")
        partner_id = str(partner["id"])
        complete_connections(api, partner_id, given, tell)
        second = ensure_people(settings, url, api)[PEOPLE[0]]
        tell("two people", f"their keys are beside the admin's: {', '.join(f'{name}.key' for name in PEOPLE)}")
        with ApiClient(url, second) as theirs:
            ensure_reachable(api, theirs, partner_id)
            _fund(api, theirs, world, partner_id)
        _enable_products(api, partner_id, tell)
        ensure_hook(world, api.get(f"/partners/{partner_id}/hook"))
        ensure_bank_pushes(world, api, partner_id)
        ensure_paybill(world, api, partner_id)
        tell("announcements", "registered")
        tell("demo lender", "ready")
        return partner_id


def _ensure_flat_fees(api: ApiClient, tell: Tell) -> None:
    """Our own fees for every amount, if there are none of the kind (Safaricom's own come by migration)."""
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


def complete_connections(api: ApiClient, partner_id: str, given: dict[str, dict[str, Any]], tell: Tell) -> None:
    """What is missing, what an older version gave, and simulators that have moved to another port since the last start."""
    known = {one["provider"]: one["settings"] for one in api.get(f"/partners/{partner_id}")["connections"]}
    for provider, wanted in given.items():
        there = known.get(provider)
        since = _SINCE.get(provider)
        if there is None or there["base_url"] != wanted["base_url"] or (since and there.get(since) is None):
            moved = "?moved=true" if there is not None else ""
            api.put(f"/partners/{partner_id}/connections/{provider}{moved}", wanted)
            tell("demo lender", f"{provider} connection given" + (" anew" if there else ""))


def ensure_reachable(api: ApiClient, second: ApiClient, partner_id: str) -> None:
    """An older version's authorised contact has no email address, and one-time codes go both ways. `second` speaks for
    the person who agrees to a new one."""
    people = api.get(f"/partners/{partner_id}")["contacts"]
    authorised = [person for person in people if person["role"] == "authorised"]
    if authorised and not any(person["email"] for person in authorised):
        body = {"name": authorised[0]["name"], "email": AUTHORISED_EMAIL, "role": "authorised"}
        made = api.post(f"/partners/{partner_id}/contacts", body)
        second.post(f"/approvals/{made['approval_id']}/approve", {"note": "The demo lender's own contact."})


def _enable_products(api: ApiClient, partner_id: str, tell: Tell) -> None:
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


def _fund(api: ApiClient, second: ApiClient, world: httpx.Client, partner_id: str) -> None:
    """Money that really lies at the bank, booked once: a start that was interrupted finds the deposit again, and what waits
    for `second` to agree."""
    if any(row["method"] == "admin" for row in api.pages("/top-ups", partner_id=partner_id, stage="completed")):
        return
    entries = world.get("/books/bank/entries").raise_for_status().json()
    found = [one["bank_transaction_id"] for one in entries if one["narration"] == _OPENING]
    if not found:
        deposit = {"account": WALLET_ACCOUNT, "amount": OPENING_CREDIT, "narration": _OPENING}
        found = [world.post("/bank/simulator/deposits", json=deposit).raise_for_status().json()["bank_transaction_id"]]
    made = api.post(
        f"/partners/{partner_id}/wallet/credits",
        {
            "amount": {"amount": OPENING_CREDIT, "currency": CURRENCY},
            "reference": found[0],
            "note": "opening balance",
        },
    )
    if "version" in made:
        second.post(f"/approvals/{made['id']}/approve", {"note": "It lies at the bank.", "version": made["version"]})
