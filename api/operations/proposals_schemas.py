"""Proposals: what one person asks for and a second one must agree to."""

from datetime import datetime
from typing import Any, Literal, Self

from api.http.values import Body, Out, Prose, example
from core.clock import utc_now
from models.tables.platform.proposal import Proposal

State = Literal["open", "agreed", "declined", "expired"]


class Agreed(Body):
    """What the agreement rests on, if there is more to say than the proposal does."""

    model_config = example(note="I asked the lender's director by telephone.")

    note: Prose | None = None


class Declined(Body):
    """Why it must not happen."""

    model_config = example(reason="The lender knows no such person.")

    reason: Prose


class ProposalOut(Out):
    """An act that waits for a second person. `subject` is what it is about, `content` what exactly would be done; `people`
    are those who cannot be the second person, since they stand behind the key that proposed it."""

    model_config = example(
        id="prp_01ktv0r5m8e9a7d3c2b4x6y8z0", act="contacts.authorise", subject="cnt_01ktv0r5m8e9a7d3c2b4x6y8z0",
        partner_id="prt_01ktv0r5m8e9a7d3c2b4x6y8z0", content={"name": "Grace Njeri"}, evidence="Her appointment.",
        state="open", proposed_by="psn_01ktv0r5m8e9a7d3c2b4x6y8z0", people=["psn_01ktv0r5m8e9a7d3c2b4x6y8z0"],
        decided_by=None, decided_at=None, note=None, created_at="2026-11-21T06:14:03Z",
        expires_at="2026-11-28T06:14:03Z",
    )  # fmt: skip

    id: str
    act: str
    subject: str
    partner_id: str | None
    content: dict[str, Any]
    evidence: str
    state: State
    proposed_by: str
    people: list[str]
    decided_by: str | None
    decided_at: datetime | None
    note: str | None
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, row: Proposal) -> Self:
        facts = {name: getattr(row, name) for name in cls.model_fields}
        if row.state == "open" and row.expires_at <= utc_now():
            facts["state"] = "expired"
        return cls.model_validate(facts)
