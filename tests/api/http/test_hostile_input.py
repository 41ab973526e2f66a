"""Hostile bodies and addresses at every route that takes one: a quick answer, never a fault of ours."""

import gc
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.routing import APIRoute

from api import app
from core.crypto import CallbackRoute
from core.ids import new_id
from models.tables.platform.traffic import InboxItem
from tests.api.conftest import ADMIN_KEY, Door
from tests.api.inbound.test_stored_first import PAYMENT
from tests.api.money import rich_lender
from tests.core.test_bounded_readers import HOSTILE
from tests.providers.ncba.test_hostile_envelopes import HOSTILE as HOSTILE_XML
from tests.support.pushes import bank_path, credited, event, ncba, push, secret_of

BODIES: dict[str, bytes] = {
    **HOSTILE,
    "an exponent in a text": b'{"TransAmount":"1e200000000","amount":{"amount":"1e200000000","currency":"KES"}}',
    "a document type": HOSTILE_XML["a document type"],
    "NUL": b'{"name":"\\u0000","Result":{"ResultDesc":"\\u0000"}}',
    "a lone surrogate": b'{"name":"\\ud800","Result":{"ResultDesc":"\\udfff"}}',
    "a list": b"[]",
    "nothing": b"",
    "no text": b"\xff\x00\xfe",
}
PATHS = ["%00", "a%00b", "%E2%80%AE", "%1B%5B31m", "%C2%9B", "%ED%A0%80", "a" * 5000, "%2e%2e", "%EF%BC%91", "9" * 400]
_PARAMETER = re.compile(r"{(\w+)}")


async def addresses(door: Door, partner_id: str) -> dict[str, list[str]]:
    """For each route of providers, addresses that are real."""
    route, balance = await door.attempt(partner_id), CallbackRoute(f"balance/{partner_id}", partner_id)
    prompt = CallbackRoute("customer-collection/col_x", "ask_x-p1")
    mpesa, other = (
        await secret_of(door, partner_id, "daraja"),
        await rich_lender(door, new_id("nam"), dialect="reference"),
    )
    hook = (await door.admin.get(f"/api/v1/partners/{partner_id}/hook")).json()["url"].split("/")[-2]
    return {
        "/cb/{route_hex}/{mac_hex}/out": [door.callback_path(route, "out")],
        "/cb/{route_hex}/{mac_hex}/out-late": [door.callback_path(route, "out-late")],
        "/cb/{route_hex}/{mac_hex}/ask": [door.callback_path(route, "ask")],
        "/cb/{route_hex}/{mac_hex}/in": [door.callback_path(prompt, "in")],
        "/cb/{route_hex}/{mac_hex}/level": [door.callback_path(balance, "level")],
        "/cb/in/{secret}/check": [f"/cb/in/{mpesa}/check"],
        "/cb/in/{secret}/confirm": [f"/cb/in/{mpesa}/confirm"],
        "/cb/bank/{secret}/": [await bank_path(door, partner_id), await bank_path(door, other)],
        "/cb/hooks/{secret}/": [f"/cb/hooks/{hook}/"],
        "/cb/sms/{report_secret}/africastalking": [
            f"/cb/sms/{door.settings.sms.report_secret.get_secret_value()}/africastalking"
        ],
    }


@contextmanager
def own_seconds() -> Iterator[Callable[[], float]]:
    """Processor time of what is done inside, without that of sweeping up what a whole session of tests has left."""
    gc.disable()
    began = ended = time.thread_time()
    try:
        yield lambda: ended - began
    finally:
        ended = time.thread_time()
        gc.enable()


def routes(*methods: str) -> list[tuple[str, str]]:
    """Method and path of every route of the application."""
    return [
        (method, route.path)
        for router in app._ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted((route.methods or set()) & set(methods))
    ]


@pytest.mark.slow
async def test_a_hostile_body_is_answered_quickly_at_every_route(shared_door: Door) -> None:
    door = shared_door
    partner_id = await rich_lender(door)
    known = await addresses(door, partner_id)
    caller, slow, faults, asked = door.visitor(ADMIN_KEY), [], [], set()
    ordinary: dict[str, float] = {}  # what a plain body costs at the address, on a machine as busy as it is now
    for method, template in routes("POST", "PUT", "PATCH"):
        plain = _PARAMETER.sub(lambda found: partner_id if found[1] == "partner_id" else "1", template)
        assert not template.startswith("/cb/") or template in known, f"{template} has no address in this test"
        for address in known.get(template, [plain]):
            asked.add(template)
            for name, raw in {"ordinary": b"{}", **BODIES}.items():
                with own_seconds() as taken:
                    headers = {"content-type": "application/json", "idempotency-key": name}
                    answer = await caller.request(method, address, content=raw, headers=headers)
                ordinary.setdefault(address, spent := taken())
                if spent > ordinary[address] + 0.7:
                    slow.append((method, template, name, spent))
                if answer.status_code >= 500 and answer.status_code != 503:
                    faults.append((method, template, name, answer.text))
    assert set(known) <= asked
    assert (slow, faults) == ([], [])


async def test_a_hostile_address_is_no_fault_of_ours(shared_door: Door) -> None:
    door = shared_door
    caller, wrong = door.visitor(ADMIN_KEY), []
    for method, template in routes("GET", "POST", "PUT", "PATCH", "DELETE"):
        for hostile in PATHS if "{" in template else []:
            answer = await caller.request(method, _PARAMETER.sub(hostile, template), json={})
            to_sign_in = answer.status_code == 303 and template.startswith("/console/")
            if answer.status_code not in (400, 401, 403, 404, 405, 409, 415, 422, 307) and not to_sign_in:
                wrong.append((method, template, hostile[:20], answer.status_code, answer.text[:200]))
    for query in ("partner_id=%00", "cursor=a%00b", "x=" + "a" * 5000, "state=%E2%80%AE"):
        answer = await caller.get(f"/api/v1/cases?{query}")
        if answer.status_code != 422:
            wrong.append(("GET", "query", query[:20], answer.status_code, answer.text[:200]))
    assert wrong == []


@pytest.mark.parametrize("kind", ["POST", "PUT"])
async def test_a_body_beyond_the_bounds_is_a_problem_that_says_so(shared_door: Door, kind: str) -> None:
    answer = await shared_door.admin.request(kind, "/api/v1/keys", content=HOSTILE["an exponent"])
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


# ------------------------------------------------------------------------------ right addresses, right proof, hostile content

_FIELDS: dict[str, dict[str, Any]] = {
    "blanks": {"CustomerName": " " * 60_000 + "x", "Narrative": " \t" * 1000},
    "numbers": {"TransAmount": "1e3", "TransID": "FT1"},
    "another script": {"TransAmount": "\uff11\uff12"},
    "a long id": {"TransID": "F" * 5000},
    "a control byte in an id": {"TransID": "FT\x1b[31m1"},
    "references": {"Narrative": " ".join(f"pay_{'0' * 25}{n % 10}-a{n}" for n in range(800))},
}


async def processor_seconds(door: Door, partner_id: str, raw: bytes) -> float:
    """Of taking, reading and delivering one push. What an ordinary one costs depends on how busy the machine is."""
    with own_seconds() as taken:
        assert (await push(door, partner_id, raw)).status_code == 200
    return taken()


@pytest.mark.parametrize("fields", _FIELDS.values(), ids=list(_FIELDS))
async def test_a_proven_push_with_hostile_content_is_kept_and_read_or_shown(door: Door, fields: dict[str, str]) -> None:
    partner_id = await rich_lender(door)
    ordinary = await processor_seconds(door, partner_id, ncba())
    (first,) = await door.rows(InboxItem)
    assert await processor_seconds(door, partner_id, ncba(**fields)) < ordinary + 0.7
    (item,) = [one for one in await door.rows(InboxItem) if one.id != first.id]
    assert item.outcome in ("taken", "unreadable")
    assert item.raw_sealed


async def test_a_control_byte_in_a_name_makes_no_push_unreadable(door: Door) -> None:
    partner_id = await rich_lender(door)
    assert (await push(door, partner_id, ncba(CustomerName="WANJIRU\x1b[31m KAMAU"))).status_code == 200
    (item,) = await door.rows(InboxItem)
    assert (item.outcome, item.report["payer_name"]) == ("taken", "WANJIRU KAMAU")


@pytest.mark.parametrize("name", ["digits", "deep lists", "many values", "a long text"])
async def test_a_signed_event_beyond_the_bounds_is_kept_for_a_person(door: Door, name: str) -> None:
    partner_id = await rich_lender(door, dialect="reference")
    more: Any = {
        "digits": int("9" * 4000),
        "deep lists": None,
        "many values": [1] * 20_500,
        "a long text": "a" * 60_000,
    }[name]
    for _ in range(40 if name == "deep lists" else 0):
        more = [more]
    raw, headers = event("account.credited", **credited(reference=more))
    assert (await push(door, partner_id, raw, headers)).status_code == 200
    (item,) = await door.rows(InboxItem)
    assert item.outcome == ("taken" if name == "a long text" else "unreadable")


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"FirstName": "\u0000\ud800\u202e\x1b]0;x\x07", "BillRefNumber": "x" * 5000}, "taken"),
        ({"TransID": "U" * 5000}, "unreadable"),
        ({"TransID": "UKL\u202e1"}, "unreadable"),
        ({"TransAmount": "1e200000000"}, "unreadable"),
        ({"TransAmount": "a lot", "MSISDN": {"a": []}}, "unreadable"),
    ],
)
async def test_a_confirmation_with_hostile_content(door: Door, change: dict[str, Any], outcome: str) -> None:
    partner_id = await rich_lender(door)
    secret = await secret_of(door, partner_id, "daraja")
    answer = await door.visitor().post(f"/cb/in/{secret}/confirm", content=json.dumps(PAYMENT | change))
    assert answer.status_code == 200
    (item,) = await door.rows(InboxItem)
    assert item.outcome == outcome
