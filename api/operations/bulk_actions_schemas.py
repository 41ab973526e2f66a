"""Bulk actions, as callers ask for and see them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from api.http.values import Body, Moment, Out, Prose, example, id_pattern
from api.saga.schemas import ClientReference
from core.ids import PARTNER
from models import kinds
from models.kinds import KINDS
from models.messages.bulk_actions import MOST_ITEMS, BulkCommand
from models.statuses import Status
from models.tables.saga.bulk_action import BulkAction, BulkItem
from store.saga.saga_rows import Filters

State = Literal["requested", "running", "stopping", "done", "stopped"]
ItemState = Literal["waiting", "sending", "taken", "refused", "unanswered", "skipped"]

_SAGA: Final = "dsb_01ktv0r5m8e9a7d3c2b4x6y8z0"
_COUNTS = {"total": 2, "waiting": 0, "taken": 1, "refused": 1, "unanswered": 0, "skipped": 0}
_ROW = {
    "id": "blk_01ktv0r5m8e9a7d3c2b4x6y8z0", "partner_id": None, "kind": "disbursements", "command": "retry",
    "reason": "M-Pesa answers again since 06:10", "filters": {"stage": "in_review"}, "state": "done", "counts": _COUNTS,
    "requested_by": "psn_01ktv0r5m8e9a7d3c2b4x6y8z0", "created_at": "2026-11-21T06:14:03Z",
    "started_at": "2026-11-21T06:14:03Z", "ended_at": "2026-11-21T06:14:05Z",
}  # fmt: skip
_ITEM = {
    "ordinal": 1, "id": _SAGA, "state": "refused", "stage": "paying", "code": "wrong_stage",
    "detail": "Money may have moved already; it cannot be cancelled.", "at": "2026-11-21T06:14:04Z",
}  # fmt: skip

KindName = Annotated[
    str, StringConstraints(strict=True, pattern=rf"^({'|'.join(kind.resource for kind in KINDS)})$")
]  # fmt: skip
SagaId = Annotated[
    str,
    StringConstraints(
        strict=True, pattern=rf"^({'|'.join(kind.id_prefix for kind in KINDS)})_[0-9a-hjkmnp-tv-z]{{26}}$"
    ),
]


class BulkFilters(Body):
    """The filters of the list of these payments. Which ones they find is settled when the action is asked for."""

    model_config = example(stage="in_review")

    partner_id: str | None = Field(default=None, strict=True, pattern=id_pattern(PARTNER))
    stage: str | None = Field(default=None, strict=True, pattern=r"^[a-z_]{1,30}$")
    status: Status | None = None
    created_from: Moment | None = None
    created_before: Moment | None = None
    client_reference: ClientReference | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if all(value is None for _, value in self):
            raise PydanticCustomError("no_filter", "Give at least one filter")
        return self

    @property
    def of_rows(self) -> Filters:
        return Filters(self.status, self.created_from, self.created_before, self.client_reference)


class BulkActionNew(Body):
    """One command for many payments of one kind: those of `ids`, or those that `filters` find. `retry`: go on at once
    instead of at the end of a wait; `cancel`: stop, if no money can have moved yet."""

    model_config = example(
        kind="disbursements", command="retry", reason="M-Pesa answers again since 06:10", ids=[_SAGA], dry_run=False
    )

    kind: KindName = Field(description="The payments' place in this API")
    command: BulkCommand
    reason: Prose
    ids: list[SagaId] | None = Field(default=None, min_length=1, max_length=MOST_ITEMS)
    filters: BulkFilters | None = None
    dry_run: bool = Field(default=False, strict=True, description="Only say what would be taken and what refused")

    @model_validator(mode="after")
    def _chooses_once(self) -> Self:
        if (self.ids is None) == (self.filters is None):
            raise PydanticCustomError("ids_or_filters", "Give either ids or filters")
        return self


class BulkCounts(Out):
    """Of how many payments, and at which state they stand; `waiting` have no result yet."""

    model_config = example(**_COUNTS)

    total: int
    waiting: int
    taken: int
    refused: int
    unanswered: int
    skipped: int

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Self:
        results = {name: counts.get(name, 0) for name in ("taken", "refused", "unanswered", "skipped")}
        waiting = counts.get("waiting", 0) + counts.get("sending", 0)
        return cls(total=sum(counts.values()), waiting=waiting, **results)


class BulkActionOut(Out):
    """A bulk action: `requested`, `running`, `stopping` (what was sent is waited for), `done`, `stopped`. `partner_id` is
    that of who asked, null for the platform's people."""

    model_config = example(**_ROW)

    id: str
    partner_id: str | None
    kind: str
    command: BulkCommand
    reason: str
    filters: dict[str, Any] | None
    state: State
    counts: BulkCounts
    requested_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, row: BulkAction, counts: Mapping[str, int]) -> Self:
        facts = {name: getattr(row, name) for name in cls.model_fields if name not in ("kind", "counts")}
        return cls.model_validate({**facts, "kind": kinds.named(row.kind).resource, "counts": BulkCounts.of(counts)})


class BulkItemOut(Out):
    """One payment of it: `taken` by the payment's saga, `refused` by it in its own words, `unanswered` (it did not answer,
    and may take the command yet), `skipped` because the action was stopped first; `waiting` and `sending` are under way."""

    model_config = example(**_ITEM)

    ordinal: int
    id: str
    state: ItemState
    stage: str | None
    code: str | None
    detail: str | None
    at: datetime | None

    @classmethod
    def of(cls, row: BulkItem) -> Self:
        facts = {name: getattr(row, name) for name in cls.model_fields if name != "id"}
        return cls.model_validate({**facts, "id": row.saga_id})


class Foreseen(Out):
    """What one payment would say now. `not_known`: its saga did not answer."""

    model_config = example(id=_SAGA, outcome="would_refuse", stage="paying", detail=_ITEM["detail"])

    id: str
    outcome: Literal["would_take", "would_refuse", "not_known"]
    stage: str | None
    detail: str | None


class BulkForeseen(Out):
    """What would become of it now; nothing was done."""

    model_config = example(
        total=1, would_take=0, would_refuse=1, not_known=0,
        items=[{"id": _SAGA, "outcome": "would_refuse", "stage": "paying", "detail": _ITEM["detail"]}],
    )  # fmt: skip

    total: int
    would_take: int
    would_refuse: int
    not_known: int
    items: list[Foreseen]

    @classmethod
    def of(cls, items: list[Foreseen]) -> Self:
        said = [one.outcome for one in items]
        return cls(
            total=len(items), would_take=said.count("would_take"), would_refuse=said.count("would_refuse"),
            not_known=said.count("not_known"), items=items,
        )  # fmt: skip
