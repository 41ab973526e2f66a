"""What a search is given, and what it finds."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from api.http.values import Body, MoneyOut, Out, example, id_pattern
from core.ids import PARTNER
from core.search_words import LONGEST
from models.statuses import Status

_HIT: dict[str, Any] = {
    "kind": "loan-disbursement", "id": "dsb_01ktv0r5m8e9a7d3c2b4x6y8z0",
    "href": "/api/v1/disbursements/dsb_01ktv0r5m8e9a7d3c2b4x6y8z0", "exact": True, "why": ["phone"],
    "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0", "lender": "Jaza Sacco", "stage": "completed", "status": "completed",
    "amount": {"amount": "12500.00", "currency": "KES"}, "phone": "+2547•••••678", "name": "Jane Wanjiku",
    "account": "000000091", "receipt": "UKL4X7QW2D", "created_at": "2026-11-21T06:14:03Z",
}  # fmt: skip


class SearchIn(Body):
    """What is known of a payment: one of our ids or its beginning, a workflow id, a receipt, a reference of ours, the
    caller's or a provider's, a conversation id, an account's or a loan's number, a phone in any spelling, a name of who
    paid or was paid, a lender's name or id."""

    model_config = example(q="0712 345 678", partner_id=None)

    q: Annotated[
        str,
        StringConstraints(
            strict=True, strip_whitespace=True, min_length=1, max_length=LONGEST, pattern=r"^[^\x00-\x1f\x7f]*$"
        ),
    ]
    partner_id: str | None = Field(
        default=None, strict=True, pattern=id_pattern(PARTNER), description="Only what is this partner's"
    )


class HitOut(Out):
    """One thing that was found. `kind` is a kind of saga, or `case`, `incoming payment` or `lender`; `href` is null for
    what has no page. `exact`: what was given is all of it, and not only a part. `why`: which of its facts it is. The
    phone is masked; `POST /api/v1/search/reveal` tells it whole."""

    model_config = example(**_HIT)

    kind: str
    id: str
    href: str | None
    exact: bool
    why: list[str]
    partner_id: str | None
    lender: str | None
    stage: str | None
    status: Status | None
    amount: MoneyOut | None
    phone: str | None
    name: str | None
    account: str | None
    receipt: str | None
    created_at: datetime


class HitGroup(Out):
    """Things of one kind, exact ones first and then the newest."""

    model_config = example(kind="loan-disbursement", word="disbursement", hits=[_HIT])

    kind: str
    word: str
    hits: list[HitOut]


class SearchOut(Out):
    """At most 50 hits, by kind; the kind with the best hit first. `more`: there are others, so say more."""

    model_config = example(
        groups=[{"kind": "loan-disbursement", "word": "disbursement", "hits": [_HIT]}], count=1, more=False
    )

    groups: list[HitGroup]
    count: int
    more: bool


class RevealIn(Body):
    """Whose phone is asked for: a payment's id, as a hit names it."""

    model_config = example(id="dsb_01ktv0r5m8e9a7d3c2b4x6y8z0")

    id: str = Field(strict=True, pattern=r"^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$")


class RevealOut(Out):
    """The phone of whoever paid or is paid, whole. Each time this is asked is in the audit log."""

    model_config = example(id="dsb_01ktv0r5m8e9a7d3c2b4x6y8z0", phone="+254712345678", name="Jane Wanjiku")

    id: str
    phone: str | None
    name: str | None
