"""Who may answer what, and how many must: pure rules."""

from datetime import timedelta
from typing import Any

import pytest

from core.clock import utc_now
from core.errors import Conflict
from models.tables.platform.approval import ApprovalDecision, ApprovalPolicy, ApprovalRequest
from store.platform import approval_codes
from store.platform.approval_rules import (
    Answerer,
    applying,
    may_approve,
    must_be_open,
    must_be_version,
    needed,
    version_of,
)


def request(**more: Any) -> ApprovalRequest:
    facts: dict[str, Any] = {
        "state": "open", "version": "v1", "barred": ["psn_ann"], "beneficiaries": ["psn_payee"], "approvers": 1,
        "expires_at": utc_now() + timedelta(hours=1), "id": "apr_x", "act": "credit", "scope": "wallets:credit",
        "house_only": True,
        "subject": "s", "content": {},
        "evidence": "slip", "requested_by": "psn_ann", "requested_via": "key_x", "created_at": utc_now(),
    }  # fmt: skip
    return ApprovalRequest(**facts | more)


def who(person: str, *behind: str, as_person: str | None = None) -> Answerer:
    return Answerer(person, frozenset({person, *behind}), "key_x", "api", as_person)


def answer(person: str, *behind: str, as_person: str | None = None) -> ApprovalDecision:
    return ApprovalDecision(
        id="apd_x", request_id="apr_x", via="key_y", channel="api", created_at=utc_now(), person_id=person,
        people=[person, *behind], on_behalf_of=as_person, decision="approve", version="v1",
    )  # fmt: skip


def policy(act: str, approvers: int, currency: str = "", from_minor: int = 0) -> ApprovalPolicy:
    return ApprovalPolicy(
        act=act, currency=currency, from_minor=from_minor, approvers=approvers, remind_after=[], escalate_after=60,
        expire_after=60, updated_at=utc_now(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answering", "code"),
    [
        (who("psn_ann"), "four_eyes"),
        (who("psn_bob", "psn_ann"), "four_eyes"),  # with a key that she made
        (who("psn_bob", as_person="psn_ann"), "four_eyes"),  # her delegate is she
        (who("psn_ann", as_person="psn_bob"), "four_eyes"),  # and she no other's
        (who("psn_payee"), "is_beneficiary"),
        (who("psn_bob", as_person="psn_payee"), "is_beneficiary"),
        (who("psn_cid"), "already_decided"),
        (who("psn_dan", "psn_cid"), "already_decided"),
        (who("psn_dan", as_person="psn_cid"), "already_decided"),
        (who("psn_eve"), None),
        (who("psn_eve", as_person="psn_flo"), None),
    ],
)
def test_two_are_two_people_whatever_they_hold(answering: Answerer, code: str | None) -> None:
    earlier = [answer("psn_cid")]
    if code is None:
        may_approve(request(), answering, earlier)
        return
    with pytest.raises(Conflict) as refused:
        may_approve(request(), answering, earlier)
    assert refused.value.code == code


def test_who_delegated_cannot_agree_beside_the_delegate() -> None:
    with pytest.raises(Conflict):
        may_approve(request(), who("psn_flo"), [answer("psn_eve", as_person="psn_flo")])


def test_the_highest_threshold_that_is_reached_counts_and_the_acts_own_before_the_general() -> None:
    policies = [
        policy("*", 1),
        policy("credit", 0),
        policy("credit", 1, "KES", 1_000),
        policy("credit", 3, "KES", 9_000),
    ]
    assert [needed(policies, "credit", minor, "KES") for minor in (999, 1_000, 8_999, 9_000)] == [0, 1, 1, 3]
    assert needed(policies, "credit", 9_000, "UGX") == 0
    assert needed(policies, "another", 9_000, "KES") == 1
    assert needed([*policies, policy("*", 2, "KES", 5_000)], "another", 5_000, "KES") == 2
    assert [one.from_minor for one in applying(policies, "credit", 9_000, "KES")] == [9_000, 1_000, 0]


def test_any_other_amount_payee_or_destination_is_another_version() -> None:
    content = {"payee": "Wanjiru", "to": "254712345678"}
    versions = {
        version_of(content, 100, "KES"),
        version_of(content, 101, "KES"),
        version_of(content, 100, "UGX"),
        version_of({**content, "payee": "Achieng"}, 100, "KES"),
        version_of({**content, "to": "254712345679"}, 100, "KES"),
    }
    assert len(versions) == 5
    assert version_of(dict(reversed(content.items())), 100, "KES") in versions
    with pytest.raises(Conflict) as stale:
        must_be_version(request(), "v0")
    assert stale.value.code == "stale_version"


def test_time_ends_a_request_and_never_approves_it() -> None:
    with pytest.raises(Conflict) as late:
        must_be_open(request(expires_at=utc_now()), utc_now())
    assert late.value.code == "expired"
    with pytest.raises(Conflict) as done:
        must_be_open(request(state="rejected"), utc_now(), ["Ben"])
    assert (done.value.code, done.value.extra["by"]) == ("already_decided", "Ben")


def test_a_code_is_read_as_people_type_it() -> None:
    assert approval_codes.as_typed(" 7kq2m-9xt4o ") == "7KQ2M9XT40"
    codes = {approval_codes.new_code() for _ in range(200)}
    assert len(codes) == 200
    assert all(len(code) == 10 and approval_codes.as_typed(code) == code for code in codes)
