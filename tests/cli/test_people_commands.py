"""`kivuko people`: what is sent, and what is shown."""

from typing import Any

import pytest

from tests.cli.conftest import Answering, Run

PERSON: dict[str, Any] = {
    "id": "psn_01ktv0r5m8e9a7d3c2b4x6y8z0", "name": "Grace Njeri", "email": "grace@example.com", "partner_id": None,
    "scopes": ["disbursements:read"], "language": "sw", "may_sign_in": False, "disabled_at": None,
}  # fmt: skip


def ask(run: Run, answering: Answering, *words: str) -> Any:
    return run("--url", answering.url, "--key", "kvk_a_b", *words)


def test_a_person_is_added_with_what_was_said_alone(run: Run, answering: Answering) -> None:
    answering.will(201, PERSON)
    words = ("people", "add", "Grace Njeri", "--email", "grace@example.com", "--scope", "disbursements:read")
    result = ask(run, answering, *words, "--language", "sw")
    assert result.exit_code == 0, result.output
    assert answering.asked[0][:3] == (
        "POST", "/api/v1/people",
        {"name": "Grace Njeri", "email": "grace@example.com", "scopes": ["disbursements:read"], "language": "sw"},
    )  # fmt: skip
    assert PERSON["id"] in result.output


def test_an_invitation_is_shown_whole(run: Run, answering: Answering) -> None:
    link = "https://kivuko.lender.example/console/in/" + "x" * 43
    answering.will(200, {"person_id": PERSON["id"], "link": link, "expires_at": "2026-11-24T06:14:03Z"})
    result = ask(run, answering, "people", "invite", PERSON["id"])
    assert link in result.output
    assert answering.asked[0][:2] == ("POST", f"/api/v1/people/{PERSON['id']}/invite")


@pytest.mark.parametrize("verb", ["disable", "enable"])
def test_somebody_is_shut_out_and_let_in_again(run: Run, answering: Answering, verb: str) -> None:
    answering.will(200, PERSON)
    assert ask(run, answering, "people", verb, PERSON["id"]).exit_code == 0
    assert answering.asked[0][:2] == ("POST", f"/api/v1/people/{PERSON['id']}/{verb}")


def test_the_list_says_who_may_sign_in(run: Run, answering: Answering) -> None:
    answering.will(200, {"items": [PERSON], "next_cursor": None})
    result = ask(run, answering, "people", "list", "--json")
    assert "grace@example.com" in result.output
