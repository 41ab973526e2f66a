"""Requests for approval in JSON: asked, answered, delegated; and the data that say how many must agree."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from api.http.auth import Principal
from api.http.values import BIGINT, Body, Currency, Moment, MoneyOut, Out, Prose, example, id_pattern
from api.operations.acts import all_acts
from core.clock import utc_now
from core.ids import PERSON
from models.tables.platform.approval import ApprovalDecision, ApprovalDelegation, ApprovalPolicy, ApprovalRequest
from store.platform.approval_rules import EVERY_ACT

State = Literal["open", "approved", "rejected", "expired", "cancelled", "stale"]

_DAY = 24 * 3600
_REQUEST = {
    "id": "apr_01ktv0r5m8e9a7d3c2b4x6y8z0", "act": "contacts.authorise",
    "means": "A contact may confirm float purchases with one-time codes.", "subject": "cnt_01ktv0r5m8e9a7d3c2b4x6y8z0",
    "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0", "workflow_id": None, "content": {"name": "Grace Njeri"},
    "version": "0e1c9f6a2b7d4835a1f0c2e4d6b8a097", "amount": None, "evidence": "Her appointment.", "state": "open",
    "requested_by": "psn_01ktv0r5m8e9a7d3c2b4x6y8z0", "requested_by_name": "Amina",
    "barred": ["psn_01ktv0r5m8e9a7d3c2b4x6y8z0"], "approvers": 1, "answers": [], "yours_to_answer": True,
    "created_at": "2026-11-21T06:14:03Z", "expires_at": "2026-11-28T06:14:03Z", "ended_at": None, "note": None,
}  # fmt: skip


class Approved(Body):
    """What the approval rests on, if there is more to say than the request does. `version` is that of the request as you saw
    it: 409 `stale_version` if it has changed. `as_person` is who delegated it to you."""

    model_config = example(
        note="I asked the lender's director by telephone.", version="0e1c9f6a2b7d4835a1f0c2e4d6b8a097", as_person=None
    )

    note: Prose | None = None
    version: str | None = Field(default=None, strict=True, pattern=r"^[0-9a-f]{32}$")
    as_person: str | None = Field(default=None, strict=True, pattern=id_pattern(PERSON))


class Rejected(Body):
    """Why it must not happen."""

    model_config = example(reason="The lender knows no such person.", version=None, as_person=None)

    reason: Prose
    version: str | None = Field(default=None, strict=True, pattern=r"^[0-9a-f]{32}$")
    as_person: str | None = Field(default=None, strict=True, pattern=id_pattern(PERSON))


class CodeFor(Body):
    """`as_person` is who delegated it to you."""

    model_config = example(as_person=None)

    as_person: str | None = Field(default=None, strict=True, pattern=id_pattern(PERSON))


class AnswerOut(Out):
    """One person's answer, and where it was given."""

    model_config = example(
        person_id="psn_01ktv0r5m8e9a7d3c2b4x6y8z1", name="Brian", on_behalf_of=None, decision="approve",
        reason="I saw the statement.", channel="api", at="2026-11-21T06:20:00Z",
    )  # fmt: skip

    person_id: str
    name: str
    on_behalf_of: str | None
    decision: Literal["approve", "reject"]
    reason: str | None
    channel: Literal["api", "console", "temporal"]
    at: datetime

    @classmethod
    def of(cls, row: ApprovalDecision, names: Mapping[str, str]) -> Self:
        return cls.model_validate(
            {
                "person_id": row.person_id, "name": names.get(row.person_id, row.person_id),
                "on_behalf_of": row.on_behalf_of, "decision": row.decision, "reason": row.reason,
                "channel": row.channel, "at": row.created_at,
            }
        )  # fmt: skip


class ApprovalOut(Out):
    """An act that waits for other people. `subject` is what it is about, `content` what exactly would be done, `version`
    its digest; `barred` cannot approve it, since they stand behind the credential that asked. `approvers` others must
    agree; `yours_to_answer` says whether you could be one of them now."""

    model_config = example(**_REQUEST)

    id: str
    act: str
    means: str
    subject: str
    partner_id: str | None
    workflow_id: str | None
    content: dict[str, Any]
    version: str
    amount: MoneyOut | None
    evidence: str
    state: State
    requested_by: str
    requested_by_name: str
    barred: list[str]
    approvers: int
    answers: list[AnswerOut]
    yours_to_answer: bool
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    note: str | None

    @classmethod
    def of(
        cls,
        row: ApprovalRequest,
        answers: Sequence[ApprovalDecision],
        names: Mapping[str, str],
        viewer: Principal,
    ) -> Self:
        """`names` of all people that it speaks of."""
        given = [one for one in answers if one.version == row.version]
        is_open = row.state == "open" and row.expires_at > utc_now()
        involved = {*row.barred, *row.beneficiaries, *(person for one in given for person in one.people)}
        return cls.model_validate(
            {
                **{name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)},
                "means": all_acts()[row.act].means,
                "state": "expired" if row.state == "open" and not is_open else row.state,
                "amount": MoneyOut.minor(row.amount_minor, row.currency or ""),
                "requested_by_name": names.get(row.requested_by, row.requested_by),
                "answers": [AnswerOut.of(one, names) for one in given],
                "yours_to_answer": is_open and viewer.people.isdisjoint(involved),
            }
        )


class CodeOut(Out):
    """A code for this request and for you alone: shown once, used once, in Temporal's own pages (update `decide`)."""

    model_config = example(
        request_id="apr_01ktv0r5m8e9a7d3c2b4x6y8z0", workflow_id="wallet-top-up/top_01ktv0r5m8e9a7d3c2b4x6y8z0",
        code="7KQ2M-9XT4C", expires_at="2026-11-28T06:14:03Z",
    )  # fmt: skip

    request_id: str
    workflow_id: str
    code: str
    expires_at: datetime


class DelegationIn(Body):
    """`to_person` may answer as `from_person` from `since` to `until`, at most 92 days. Never passed on."""

    model_config = example(
        from_person="psn_01ktv0r5m8e9a7d3c2b4x6y8z0", to_person="psn_01ktv0r5m8e9a7d3c2b4x6y8z1",
        since="2026-12-20T00:00:00Z", until="2027-01-05T00:00:00Z",
    )  # fmt: skip

    from_person: str = Field(strict=True, pattern=id_pattern(PERSON))
    to_person: str = Field(strict=True, pattern=id_pattern(PERSON))
    since: Moment
    until: Moment

    @model_validator(mode="after")
    def _a_time(self) -> Self:
        if self.from_person == self.to_person:
            raise PydanticCustomError("same_person", "Name another person to delegate to")
        if not timedelta(0) < self.until - self.since <= timedelta(days=92):
            raise PydanticCustomError("bad_period", "`until` must come after `since`, by 92 days at most")
        return self


class DelegationOut(Out):
    """Who may answer as whom, and when."""

    model_config = example(
        id="dlg_01ktv0r5m8e9a7d3c2b4x6y8z0", from_person="psn_01ktv0r5m8e9a7d3c2b4x6y8z0",
        to_person="psn_01ktv0r5m8e9a7d3c2b4x6y8z1", since="2026-12-20T00:00:00Z", until="2027-01-05T00:00:00Z",
        made_by="psn_01ktv0r5m8e9a7d3c2b4x6y8z2", created_at="2026-12-01T08:00:00Z", revoked_at=None,
    )  # fmt: skip

    id: str
    from_person: str
    to_person: str
    since: datetime
    until: datetime
    made_by: str
    created_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, row: ApprovalDelegation) -> Self:
        return cls.model_validate(row, from_attributes=True)


class PolicyIn(Body):
    """From `from_minor` (in cents) on, `approvers` others must agree to the act; 0 where it may be done alone. `act` "*" is
    every act without a policy of its own; `currency` "" any. Seconds until reminders, until a wider circle hears, until it
    is void."""

    model_config = example(
        act="wallets.credit", currency="KES", from_minor=10_000_000, approvers=2, remind_after=[14400, 86400],
        escalate_after=172800, expire_after=604800, evidence="The board's decision of 12 November.",
    )  # fmt: skip

    act: str = Field(strict=True, max_length=80)
    currency: Currency | Literal[""] = ""
    from_minor: int = Field(default=0, strict=True, ge=0, le=BIGINT)
    approvers: int = Field(strict=True, ge=0, le=5)
    remind_after: list[int] = Field(default=[4 * 3600, _DAY], max_length=5)
    escalate_after: int = Field(default=2 * _DAY, strict=True, ge=60, le=90 * _DAY)
    expire_after: int = Field(default=7 * _DAY, strict=True, ge=300, le=90 * _DAY)
    evidence: Prose

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.act != EVERY_ACT and self.act not in all_acts():
            raise PydanticCustomError("unknown_act", "There is no such act")
        if self.approvers == 0 and not (self.act in all_acts() and all_acts()[self.act].alone_allowed):
            raise PydanticCustomError("somebody_else", "Somebody else must agree to this act: 1 at least")
        if not self.currency and self.from_minor:
            raise PydanticCustomError("currency_missing", "A threshold needs a currency")
        if any(not 60 <= after <= self.expire_after for after in self.remind_after):
            raise PydanticCustomError(
                "bad_reminder", "Reminders come a minute or more after the request, before its end"
            )
        return self


class PolicyOut(Out):
    """How many others must agree to an act from an amount on."""

    model_config = example(
        act="wallets.credit", currency="KES", from_minor=10_000_000, approvers=2, remind_after=[14400, 86400],
        escalate_after=172800, expire_after=604800, updated_at="2026-11-21T06:14:03Z",
    )  # fmt: skip

    act: str
    currency: str
    from_minor: int
    approvers: int
    remind_after: list[int]
    escalate_after: int
    expire_after: int
    updated_at: datetime

    @classmethod
    def of(cls, row: ApprovalPolicy) -> Self:
        return cls.model_validate(row, from_attributes=True)


class Policies(Out):
    """All of them: an installation has few."""

    items: list[PolicyOut]
