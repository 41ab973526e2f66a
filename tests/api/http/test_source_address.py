"""Callbacks are taken from the provider's addresses, and a header is believed only if a proxy of ours wrote it."""

from collections.abc import Sequence

import pytest
from starlette.requests import Request
from temporalio.testing import WorkflowEnvironment

from api.http.source_address import is_allowed, source_address
from core.settings import Callbacks, Settings
from models.tables.platform.traffic import InboxItem
from store.database import Database
from tests.api.conftest import open_door

SAFARICOM, STRANGER, PROXY = "196.201.214.200", "203.0.113.9", "10.0.0.7"


def coming_from(peer: str | None, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return Request({"type": "http", "headers": headers, "client": (peer, 1) if peer else None})


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        (SAFARICOM, [], SAFARICOM),
        (STRANGER, [SAFARICOM], STRANGER),  # a stranger's own claim
        (PROXY, [SAFARICOM], SAFARICOM),
        (
            PROXY,
            [f"{SAFARICOM}, {STRANGER}"],
            STRANGER,
        ),  # the first was the stranger's claim, the second our proxy's word
        (PROXY, [SAFARICOM, STRANGER], STRANGER),
        (PROXY, [f"{SAFARICOM}, 10.0.0.8"], SAFARICOM),  # two proxies of ours in a row
        (PROXY, [], PROXY),
        (PROXY, ["rubbish"], None),
        ("::ffff:196.201.214.200", [], "::ffff:196.201.214.200"),
        (None, [SAFARICOM], None),
    ],
)
def test_a_header_is_believed_only_from_our_own_proxies(
    peer: str | None, forwarded: Sequence[str], found: str | None
) -> None:
    callbacks = Callbacks(trusted_proxies=["10.0.0.0/24"])
    assert source_address(coming_from(peer, *forwarded), callbacks) == found


@pytest.mark.parametrize(
    ("address", "allowed", "is_in"),
    [
        (STRANGER, [], True),
        (SAFARICOM, ["196.201.214.0/24"], True),
        ("::ffff:196.201.214.200", ["196.201.214.0/24"], True),
        (STRANGER, ["196.201.214.0/24"], False),
        (None, ["196.201.214.0/24"], False),
        ("rubbish", ["0.0.0.0/0"], False),
    ],
)
def test_who_is_allowed(address: str | None, allowed: list[str], is_in: bool) -> None:
    assert is_allowed(address, allowed) is is_in


async def test_a_callback_from_elsewhere_is_refused_though_its_address_is_right(
    api_settings: Settings, database: Database, temporal_env: WorkflowEnvironment
) -> None:
    callbacks = Callbacks(allowed_sources=["196.201.214.0/24"], trusted_proxies=[PROXY])
    settings = api_settings.model_copy(update={"callbacks": callbacks})
    async with open_door(settings, database, temporal_env.client) as door:
        route = await door.attempt(await door.lender())
        path = door.callback_path(route, "out")
        refused = await door.visitor(address=STRANGER).post(path, json={})
        claimed = await door.visitor(address=STRANGER, **{"X-Forwarded-For": SAFARICOM}).post(path, json={})
        assert (refused.status_code, claimed.status_code) == (403, 403)
        assert await door.rows(InboxItem) == []
        taken = await door.visitor(address=PROXY, **{"X-Forwarded-For": SAFARICOM}).post(path, json={})
        assert taken.status_code == 200
        (row,) = await door.rows(InboxItem)
        assert row.source == SAFARICOM
