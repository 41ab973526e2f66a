"""What a list is asked for, in its address: filters and page. Empty fields ask for nothing; unknown ones are refused."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from api.http.values import id_pattern
from api.saga.schemas import ClientReference
from core.ids import PARTNER
from models.statuses import Status
from store.saga.saga_rows import Filters

PAGE: int = 50


def _nothing(value: object) -> object:
    return None if value == "" else value


NothingIfEmpty = BeforeValidator(_nothing)
Word = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]


class ListQuery(BaseModel):
    """Of every list. No phone number and no name ever stands in an address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    partner: Annotated[Annotated[str, StringConstraints(pattern=id_pattern(PARTNER))] | None, NothingIfEmpty] = None
    cursor: Annotated[
        Annotated[str, StringConstraints(pattern=r"^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$")] | None, NothingIfEmpty
    ] = None

    def address(self, **changed: Any) -> str:
        """The query of this list's address with these changes."""
        given = {**self.model_dump(mode="json", by_alias=True), **changed}
        return urlencode({name: value for name, value in given.items() if value not in (None, "")})

    @property
    def is_filtered(self) -> bool:
        return any(value is not None for name, value in self if name != "cursor")


class PaymentQuery(ListQuery):
    """Of payments of one kind. `since` and `until` are days in the reader's zone, both of them included."""

    status: Annotated[Status | None, NothingIfEmpty] = None
    stage: Annotated[Word | None, NothingIfEmpty] = None
    since: Annotated[date | None, NothingIfEmpty] = Field(default=None, alias="from")
    until: Annotated[date | None, NothingIfEmpty] = None
    reference: Annotated[ClientReference | None, NothingIfEmpty] = None

    @field_validator("since", "until")
    @classmethod
    def _sane_year(cls, value: date | None) -> date | None:
        if value is not None and not 2000 <= value.year <= 2200:
            raise PydanticCustomError("year_out_of_range", "Give a day between the years 2000 and 2200")
        return value

    def filters(self, zone: ZoneInfo) -> Filters:
        return Filters(
            status=self.status,
            created_from=_midnight(self.since, zone) if self.since else None,
            created_before=_midnight(self.until + timedelta(days=1), zone) if self.until else None,
            client_reference=self.reference,
        )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
