"""What partners have claimed of the world outside."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field

from api.http.values import Body, Out, Prose, example, id_pattern
from core.ids import PARTNER
from models.providers import ClaimKind
from models.tables.platform.claims import OutsideClaim

_ROW = {
    "kind": "mpesa_shortcode", "key": "600997", "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0",
    "connection_id": "con_01ktv0r5m8e9a7d3c2b4x6y8z0", "claimed_by": "key_01ktv0q000000000000000000z",
    "claimed_at": "2026-11-21T06:14:03Z",
}  # fmt: skip


class ClaimOut(Out):
    """One thing of the world and the one partner that has it. `key` is its one spelling: server and tenant, a short code, or
    a bank's server and account."""

    model_config = example(**_ROW)

    kind: ClaimKind
    key: str
    partner_id: str
    connection_id: str | None
    claimed_by: str
    claimed_at: datetime

    @classmethod
    def of(cls, row: OutsideClaim) -> Self:
        return cls.model_validate(row, from_attributes=True)


class ClaimMove(Body):
    """Who shall have it, and what that rests on; a second person reads it and agrees."""

    model_config = example(
        kind="mpesa_shortcode", key="600997", to_partner_id="prt_01ktv0r5m8e9a7d3c2b4x6y8z0",
        evidence="The lender's letter of 21 November: the short code was sold with the loan book.",
    )  # fmt: skip

    kind: Literal["fineract_tenant", "mpesa_shortcode", "bank_account"]
    key: Annotated[str, Field(min_length=1, max_length=600)]
    to_partner_id: Annotated[str, Field(pattern=id_pattern(PARTNER))]
    evidence: Prose
