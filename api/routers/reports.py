"""Reports: counts and sums over a period, for people and for their tools."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query

from api.auth import DisbursementReader
from api.dependencies import House
from api.documented import problems
from api.known_parameters import KNOWN_PARAMETERS
from api.paging import PartnerFilter
from api.schemas.reports import MessageCountOut, SmsReport
from api.schemas.values import Moment
from core.clock import utc_now
from core.errors import InvalidRequest
from store import messages_report

router = APIRouter(prefix="/api/v1/reports", tags=["reports"], dependencies=KNOWN_PARAMETERS)

_USUAL: Final = timedelta(days=30)
_LONGEST: Final = timedelta(days=366)

Since = Annotated[Moment | None, Query(description="From here on; 30 days before `until` if left out")]
Until = Annotated[Moment | None, Query(description="Up to, but not including; now if left out")]


@router.get("/sms", responses=problems(404), summary="Messages counted by event, gateway, state and delivery")
async def report_sms(
    house: House,
    principal: DisbursementReader,
    since: Since = None,
    until: Until = None,
    partner_id: PartnerFilter = None,
) -> SmsReport:
    """Emails are counted too, apart by `channel`. A period has at most 366 days."""
    if partner_id is not None:
        principal.visible(partner_id)
    end = until or utc_now()
    begin = since or end - _USUAL
    if begin >= end:
        raise InvalidRequest("The period must begin before it ends.", code="period_empty", field="since")
    if end - begin > _LONGEST:
        raise InvalidRequest("A period has at most 366 days.", code="period_too_long", field="since")
    whose = partner_id or principal.partner_id
    async with house.database.transaction() as session:
        counted = await messages_report.counts(
            session, partner_id=whose, since=begin, until=end, silent_after=house.settings.sms.silent_after
        )
    return SmsReport(since=begin, until=end, partner_id=whose, items=[MessageCountOut.of(count) for count in counted])
