"""One kind of saga as the API shows it. A family says what differs; `saga_routes` makes the endpoints of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from fastapi import Request
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal
from api.http.dependencies import Services
from api.saga.schemas import DecisionIn
from core.errors import NotFound
from models.kinds import SagaKind
from store.saga import reads, saga_rows
from store.saga.saga_rows import Filters
from temporal.commands import Row

R = TypeVar("R", bound=Row)
R_contra = TypeVar("R_contra", contravariant=True)

_LOOK_EVERY: Final = 0.25
_RESOLVE_NOTES: Final = (
    "409 if the decision does not fit the stage, `four_eyes` if its own proposer approves; 422 if a fact is missing."
)


class RowOut(Protocol[R_contra]):
    """The model of a list's lines: `facts` are its fields as the row tells them."""

    @classmethod
    def facts(cls, row: R_contra, /) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the OpenAPI document says where the kinds of sagas differ. `resolve_notes` and `cancel_notes` are descriptions
    beneath the summaries."""

    one: str  # "top-up"
    many: str  # "top-ups"
    resolve: str
    cancel: str
    resolve_notes: str = _RESOLVE_NOTES
    cancel_notes: str | None = None


@dataclass(frozen=True, kw_only=True)
class Resource(Generic[R]):
    """One kind of saga. Everything that is named after it (path, scopes, operations, audit actions) follows from `kind`.

    `out` shows a row in lists; `detail_out` the one, of the row's facts, those that `detail` reads, and `saga`, what the
    running saga says of itself. `decision` is the body of `resolve`.
    """

    kind: SagaKind
    id_field: str  # the path parameter: "purchase_id"
    stage: object  # the type of its stages, for the list's filter
    out: type[RowOut[R]]
    detail_out: type[BaseModel]
    detail: Callable[[AsyncSession, R], Awaitable[Mapping[str, Any]]]
    decision: type[DecisionIn]
    words: Words
    # False where the same words about the same attempt are one decision by themselves.
    decision_needs_key: bool = True

    @property
    def noun(self) -> str:
        """What people call one: "float purchase"."""
        return self.kind.word

    @property
    def name(self) -> str:
        """In operation ids: "float_purchase"."""
        return self.noun.replace(" ", "_").replace("-", "_")

    @property
    def acts(self) -> str:
        """What its audit actions begin with: "float_purchases"."""
        return self.kind.acts

    @property
    def tag(self) -> str:
        """In the OpenAPI document: "float purchases"."""
        return f"{self.noun}s"

    @property
    def scopes(self) -> str:
        """What its scopes begin with: "float-purchases"."""
        return self.kind.resource

    @property
    def path(self) -> str:
        """Where it is: "/api/v1/float-purchases"."""
        return f"/api/v1{self.kind.path}"

    @property
    def _model(self) -> Any:
        """The row's class for the store, which types these reads by `SagaRow`; every saga's row has the same columns."""
        return self.kind.row_class

    async def find(self, services: Services, principal: Principal, row_id: str) -> R:
        """Raises NotFound, for another partner's too."""
        async with services.database.transaction() as session:
            row: R | None = await reads.row(session, self._model, row_id)
        if row is None or not principal.sees(row.partner_id):
            raise NotFound(f"No {self.noun} has that id.", field=self.id_field)
        return row

    async def page(
        self, services: Services, principal: Principal, *, partner_id: str | None, stage: str | None,
        before: str | None, limit: int, only: Filters,
    ) -> list[R]:  # fmt: skip
        """Newest first: of the partner, else of all that the key sees. Raises NotFound for another's partner."""
        if partner_id is not None:
            principal.visible(partner_id)
        async with services.database.transaction() as session:
            return await saga_rows.page(
                session, self._model, partner_id=partner_id or principal.partner_id, stage=stage, before=before,
                limit=limit, only=only,
            )  # fmt: skip

    async def wait_for(
        self, services: Services, principal: Principal, row_id: str, request: Request, seconds: float
    ) -> R:
        """The row when it has ended, or when the time is up or the caller has gone. Raises NotFound."""
        deadline = time.monotonic() + min(seconds, services.settings.api.max_wait_seconds)
        row = await self.find(services, principal, row_id)
        while row.ended_at is None and (left := deadline - time.monotonic()) > 0:
            await asyncio.sleep(min(_LOOK_EVERY, left))
            if await request.is_disconnected():
                break
            row = await self.find(services, principal, row_id)
        return row
