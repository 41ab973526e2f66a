"""Who may answer a request for approval, and when it is decided: pure rules, the same for every channel."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from core.errors import Conflict
from models.tables.platform.approval import ApprovalDecision, ApprovalPolicy, ApprovalRequest

Answer = Literal["approve", "reject"]
Channel = Literal["api", "console", "temporal"]
EVERY_ACT: Final = "*"
MOST_WRONG_CODES: Final = 5


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who answers, as the check of their key, sign-in or code found: `people` are all who stand behind it. `on_behalf_of`
    names who delegated to them."""

    person_id: str
    people: frozenset[str]
    via: str
    channel: Channel
    on_behalf_of: str | None = None

    @property
    def everybody(self) -> frozenset[str]:
        """A delegate and who delegated are one person: neither is a second one to the other."""
        return self.people | {self.person_id} | ({self.on_behalf_of} if self.on_behalf_of else frozenset())


def version_of(content: Mapping[str, Any], amount_minor: int | None, currency: str | None) -> str:
    """The digest of what would be done: any other amount, payee or destination has another one."""
    plain = json.dumps([content, amount_minor, currency], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def needed(policies: Iterable[ApprovalPolicy], act: str, amount_minor: int | None, currency: str | None) -> int:
    """How many others must agree: the strictest of what is said for the act, or else for every act. None for an act that
    may be done alone, below its threshold."""
    return max((policy.approvers for policy in applying(policies, act, amount_minor, currency)), default=1)


def applying(
    policies: Iterable[ApprovalPolicy], act: str, amount_minor: int | None, currency: str | None
) -> list[ApprovalPolicy]:
    """Those that speak of this act and amount; the act's own if there are any, the highest threshold first."""
    fitting = [
        policy for policy in policies
        if policy.act in (act, EVERY_ACT)
        and policy.currency in ("", currency)
        and policy.from_minor <= (amount_minor or 0)
    ]  # fmt: skip
    own = [policy for policy in fitting if policy.act == act]
    return sorted(own or fitting, key=lambda policy: policy.from_minor, reverse=True)


def must_be_open(request: ApprovalRequest, now: datetime, deciders: Sequence[str] = ()) -> None:
    """Raises Conflict: "already_decided" (with who it was), "expired"."""
    if request.state == "open" and request.expires_at > now:
        return
    if request.state in ("open", "expired"):
        raise Conflict("The request has expired; make it anew.", code="expired")
    by = {"by": ", ".join(deciders)} if deciders else {}
    raise Conflict(
        f"The request was {_WORDS[request.state]} already.", code="already_decided", state=request.state, **by
    )


def must_be_version(request: ApprovalRequest, version: str | None) -> None:
    """Raises Conflict (code "stale_version") for an answer to other content than the request has."""
    if version is not None and version != request.version:
        raise Conflict(
            "What is asked for has changed since you looked at it; look again.", code="stale_version", field="version"
        )


def may_approve(request: ApprovalRequest, who: Answerer, so_far: Sequence[ApprovalDecision]) -> None:
    """Raises Conflict: "is_beneficiary" for who would profit or set where the money goes, "four_eyes" for those behind the
    credential that asked, "already_decided" for somebody who approved before, under whatever credential."""
    if not who.everybody.isdisjoint(request.beneficiaries):
        raise Conflict("Who would profit from it cannot agree to it.", code="is_beneficiary")
    if not who.everybody.isdisjoint(request.barred):
        raise Conflict("Who proposed it cannot agree to it; another person must.", code="four_eyes")
    for earlier in so_far:
        if not who.everybody.isdisjoint({*earlier.people, earlier.person_id, earlier.on_behalf_of}):
            raise Conflict(
                "You have agreed to it before; another person must.", code="already_decided", state=request.state
            )


def approvals(so_far: Iterable[ApprovalDecision], version: str) -> list[ApprovalDecision]:
    """The answers that count for this version."""
    return [one for one in so_far if one.version == version and one.decision == "approve"]


_WORDS: Final = {
    "approved": "approved", "rejected": "rejected", "cancelled": "withdrawn",
    "stale": "overtaken by what became known", "expired": "expired",
}  # fmt: skip
