"""The simulated systems around the demo lender: opened as its staff would, and told where to announce payments.

Every step may be repeated, and follows addresses that have moved since the last start.
"""

from typing import Any, Final

import httpx

from cli.demo.lender import (
    AUTHORISED_PHONE,
    B2C_ACCOUNT,
    BANK_ACCOUNTS,
    BANK_CUSTOMER,
    BANK_TOKEN,
    DARAJA_APP,
    FINERACT_LOGIN,
    LENDER,
    PUSH_SECRET,
    SHORTCODE,
    TENANT,
    WALLET_ACCOUNT,
)
from cli.http import ApiClient

_HOOKS: Final = "/fineract/fineract-provider/api/v1/hooks"


def open_systems(world: httpx.Client) -> None:
    """The M-Pesa app and short code, the bank's accounts and who may use its API."""
    world.post("/daraja/simulator/apps", json=DARAJA_APP).raise_for_status()
    for account in BANK_ACCOUNTS:
        world.post("/bank/simulator/accounts", json=account).raise_for_status()
    world.post("/bank/simulator/customers", json=BANK_CUSTOMER).raise_for_status()


def connections(simulators: str, world: httpx.Client) -> dict[str, dict[str, Any]]:
    """What the lender gives us of its systems, as the API takes it, by provider."""
    username, password = FINERACT_LOGIN
    names = (
        "shortcode", "initiator_name", "initiator_password", "consumer_key", "consumer_secret", "passkey",
    )  # fmt: skip
    accounts = {account["number"]: account["name"] for account in BANK_ACCOUNTS}
    return {
        "fineract": {
            "base_url": f"{simulators}/fineract/fineract-provider/api",
            "tenant": TENANT,
            "username": username,
            "password": password,
        },
        "daraja": {
            "base_url": f"{simulators}/daraja",
            "certificate_pem": world.get("/daraja/simulator/certificate").raise_for_status().text,
            # Named though it is the default: an older installation's connection, made without a pass key, lacks it.
            "stk_shortcode": SHORTCODE,
            **{name: DARAJA_APP[name] for name in names},
        },
        "bank": {
            "dialect": "reference",
            "base_url": f"{simulators}/bank/reference",
            "wallet_account": WALLET_ACCOUNT,
            "wallet_name": accounts[WALLET_ACCOUNT],
            "b2c_account": B2C_ACCOUNT,
            "b2c_name": accounts[B2C_ACCOUNT],
            "float_account": SHORTCODE,
            "float_name": LENDER.upper(),
            "token": BANK_TOKEN,
            "push_secrets": [PUSH_SECRET],
        },
    }


def ensure_bank_pushes(world: httpx.Client, api: ApiClient, partner_id: str) -> None:
    """The bank tells of every movement on the lender's accounts at the address that we give out for it."""
    [address] = api.get(f"/partners/{partner_id}/connections/bank/address")["items"]
    for account in BANK_ACCOUNTS:
        body = {"account": account["number"], "url": address["url"], "dialect": "reference", "secret": PUSH_SECRET}
        world.post("/bank/simulator/pushes", json=body).raise_for_status()


def ensure_paybill(world: httpx.Client, api: ApiClient, partner_id: str) -> None:
    """M-Pesa announces payments to the short code, and lists them for the pull. Registered by our API; addresses that are
    out of date are deleted first, as two people may do on Safaricom's portal and nobody may by the protocol."""
    given = api.get(f"/partners/{partner_id}/connections/daraja/address")["items"]
    ours = {address["purpose"]: address["url"] for address in given}
    for known in world.get("/daraja/simulator/c2b-urls").raise_for_status().json():
        if known["shortcode"] == SHORTCODE and known["confirmation"] != ours["confirm"]:
            world.delete(f"/daraja/simulator/c2b-urls/{SHORTCODE}").raise_for_status()
    api.post(f"/partners/{partner_id}/connections/daraja/register-paybill", {"nominated_phone": AUTHORISED_PHONE})


def ensure_hook(world: httpx.Client, address: dict[str, Any]) -> None:
    """Registers our address at the simulated Fineract as a bank's administrator would, by the real protocol. One that an
    older version registered for fewer events is mended."""
    headers = {"Fineract-Platform-TenantId": TENANT}
    wanted = [{"entityName": event["entity"], "actionName": event["action"]} for event in address["events"]]
    body = {
        "name": "Web",
        "isActive": True,
        "displayName": "kivuko",
        "events": wanted,
        "config": {"Payload URL": address["url"], "Content Type": "json"},
    }
    shown = world.get(_HOOKS, headers=headers, auth=FINERACT_LOGIN).raise_for_status().json()
    hook = next((hook for hook in shown if _url_of(hook) == address["url"]), None)
    if hook is None:
        world.post(_HOOKS, json=body, headers=headers, auth=FINERACT_LOGIN).raise_for_status()
    elif missing := [event for event in wanted if event not in hook["events"]]:
        body |= {"isActive": hook["isActive"], "events": [*hook["events"], *missing]}
        world.put(f"{_HOOKS}/{hook['id']}", json=body, headers=headers, auth=FINERACT_LOGIN).raise_for_status()


def _url_of(hook: dict[str, Any]) -> str | None:
    return next((field["fieldValue"] for field in hook["config"] if field.get("fieldName") == "Payload URL"), None)
