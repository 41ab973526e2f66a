"""Needs attention: everything that a person should know of or decide, in one list, the oldest first."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query

from api.http.auth import Anyone, Principal
from api.http.dependencies import Services, ServicesDep
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import problems
from api.http.paging import Limit, Page, PartnerFilter, page
from api.http.values import id_pattern
from api.operations.acts import acts_of
from api.operations.attention_schemas import ProblemOut
from core.clock import utc_now
from core.ids import PERSON
from models import kinds
from models.kinds import PAYOUTS
from models.problems import MEANS, Problem
from store.platform import partners
from store.saga import attention
from store.saga.attention import Filters, Row
from store.saga.attention_sources import Sight

router = APIRouter(prefix="/api/v1/attention", tags=["attention"], dependencies=KNOWN_PARAMETERS)

CURSOR: Final = r"^[0-9]{1,17}\.[0-9A-Za-z_/\-]{1,100}$"
Problems = Annotated[list[Problem] | None, Query(max_length=len(MEANS), description="Only problems of these kinds")]
OwnerFilter = Annotated[
    str | None,
    Query(
        pattern=f"^(me|nobody|{id_pattern(PERSON)[1:-1]})$",
        description="Only those whose case this key looks at: an id, `me`, or `nobody`",
    ),
]
Minutes = Annotated[int, Query(ge=0, le=1_000_000, description="Only what began so many minutes ago or earlier")]
Cursor = Annotated[
    str | None,
    Query(pattern=CURSOR, description="`next_cursor` of the page before"),
]
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LATEST: Final = 253_402_300_799_000_000  # the last second of the year 9999


@router.get("", responses=problems(404), summary="All that needs attention, the oldest first")
async def list_problems(
    services: ServicesDep,
    principal: Anyone,
    problem: Problems = None,
    owner: OwnerFilter = None,
    minutes: Minutes = 0,
    partner_id: PartnerFilter = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ProblemOut]:
    """Of the kinds that one may read: open cases, what was sent and not answered for three minutes, what cannot be sent or
    booked, payments that wait for float or have not begun, connections that do not work, requests for approval that one could
    answer, messages and providers' messages that did not arrive, and schedules that did not run."""
    filters = Filters(
        problems=frozenset(problem or MEANS),
        owner={"me": principal.person_id, "nobody": None}.get(owner or "", owner),
        unowned=owner == "nobody",
        older_than=timedelta(minutes=minutes),
    )
    rows, names = await find(services, principal, filters, partner_id=partner_id, cursor=cursor, limit=limit + 1)
    now = utc_now()
    return page(rows, limit, lambda row: ProblemOut.of(row, names.get(row.partner_id or ""), now), cursor_of)


async def find(
    services: Services,
    principal: Principal,
    filters: Filters,
    *,
    partner_id: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[Row], dict[str, str]]:
    """What the key may see, and the names of its lenders by id. Raises NotFound for another's partner."""
    if partner_id is not None:
        principal.visible(partner_id)
    async with services.database.transaction() as session:
        sight = sight_of(principal, partner_id)
        rows = await attention.page(session, sight, filters, after=_place(cursor), limit=limit)
        names = await partners.names(session, {row.partner_id for row in rows if row.partner_id})
    return rows, names


def sight_of(principal: Principal, partner_id: str | None) -> Sight:
    return Sight(
        partner_id=partner_id or principal.partner_id,
        kinds=frozenset(kind.name for kind in kinds.KINDS if principal.may(kind.scope("read"))),
        loose=principal.may(PAYOUTS.scope("read")),
        connections=principal.may("partners:read"),
        acts=frozenset(acts_of(principal)),
        people=principal.people,
    )


def cursor_of(row: Row) -> str:
    """By which the page after this row is asked for."""
    return f"{(row.since - _BEGINNING) // _MICROSECOND}.{row.id}"


def _place(cursor: str | None) -> tuple[datetime, str] | None:
    """Where the page before ended."""
    if cursor is None:
        return None
    found = re.fullmatch(r"([0-9]+)\.(.+)", cursor)
    assert found is not None
    return _BEGINNING + min(int(found[1]), _LATEST) * _MICROSECOND, found[2]
