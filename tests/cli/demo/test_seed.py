"""The demo lender of an older version is completed at the next start, and what is as it should be is left alone."""

from collections.abc import Iterator
from typing import Any

import pytest

from cli.demo.lender import AUTHORISED_EMAIL
from cli.demo.seed import complete_connections, ensure_reachable
from cli.http import ApiClient
from tests.cli.conftest import Answering

PRT = "prt_01ktv0r5m8e9a7d3c2b4x6y8z0"
GIVEN: dict[str, dict[str, Any]] = {
    "fineract": {"base_url": "http://sim/fineract", "password": "p"},
    "daraja": {"base_url": "http://sim/daraja", "stk_shortcode": "600997", "passkey": "k"},
    "bank": {"base_url": "http://sim/bank/reference", "token": "t"},
}


@pytest.fixture
def api(answering: Answering) -> Iterator[ApiClient]:
    with ApiClient(answering.url, "kvk_a_b") as client:
        yield client


def known(**changed: Any) -> dict[str, Any]:
    """A partner whose connections are as they should be, but for those that are `changed`; None: there is none."""
    plain = {
        provider: {name: value for name, value in given.items() if name in ("base_url", "stk_shortcode")}
        for provider, given in GIVEN.items()
    }
    there = {**plain, **changed}
    return {"connections": [{"provider": name, "settings": given} for name, given in there.items() if given]}


@pytest.mark.parametrize(
    ("partner", "given_anew"),
    [
        (known(), []),
        (known(bank=None), ["bank"]),
        (known(daraja={"base_url": "http://sim/daraja"}), ["daraja"]),
        (known(daraja={"base_url": "http://sim/daraja", "stk_shortcode": None}), ["daraja"]),
        (known(daraja={"base_url": "http://sim/daraja", "stk_shortcode": "174379"}), []),
        (known(fineract={"base_url": "http://moved/fineract"}), ["fineract"]),
    ],
)
def test_a_connection_is_given_where_it_is_missing_old_or_has_moved(
    api: ApiClient, answering: Answering, partner: dict[str, Any], given_anew: list[str]
) -> None:
    answering.will(200, partner)
    for _ in given_anew:
        answering.will(200, {})
    told: list[str] = []
    moved = "?moved=true" if len(partner["connections"]) == len(GIVEN) else ""  # what is there may name another server
    complete_connections(api, PRT, GIVEN, lambda part, text: told.append(text))
    assert [asked[:3] for asked in answering.asked[1:]] == [
        ("PUT", f"/api/v1/partners/{PRT}/connections/{provider}{moved}", GIVEN[provider]) for provider in given_anew
    ]
    assert len(told) == len(given_anew)


def person(role: str, email: str | None) -> dict[str, Any]:
    return {"name": "Grace Njeri", "phone": "+2547•••••222", "email": email, "role": role}


def test_an_authorised_person_without_an_address_gets_one(api: ApiClient, answering: Answering) -> None:
    answering.will(200, {"contacts": [person("authorised", None), person("notify", "operations@demosacco.example")]})
    answering.will(201, {"approval_id": "apr_1"})
    answering.will(200, {})
    ensure_reachable(api, api, PRT)
    assert answering.asked[1][:3] == (
        "POST", f"/api/v1/partners/{PRT}/contacts",
        {"name": "Grace Njeri", "email": AUTHORISED_EMAIL, "role": "authorised"},
    )  # fmt: skip
    assert answering.asked[2][:2] == ("POST", "/api/v1/approvals/apr_1/approve")


@pytest.mark.parametrize("contacts", [[person("authorised", "ann@demosacco.example")], [person("notify", None)], []])
def test_people_whom_somebody_chose_are_left_alone(
    api: ApiClient, answering: Answering, contacts: list[dict[str, Any]]
) -> None:
    answering.will(200, {"contacts": contacts})
    ensure_reachable(api, api, PRT)
    assert [asked[0] for asked in answering.asked] == ["GET"]
