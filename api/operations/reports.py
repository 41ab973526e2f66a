"""Reports: counts and sums over a period, for people and for their tools."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query

from api.http.auth import DisbursementReader
from api.http.dependencies import ServicesDep
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import problems
from api.http.paging import PartnerFilter
from api.http.values import Moment
from api.operations.reports_schemas import MessageCountOut, SmsReport
from core.clock import utc_now
from core.errors import InvalidRequest
from store.platform import messages_report

router = APIRouter(prefix="/api/v1/reports", tags=["reports"], dependencies=KNOWN_PARAMETERS)

_USUAL: Final = timedelta(days=30)
_LONGEST: Final = timedelta(days=366)

Since = Annotated[Moment | None, Query(description="From here on; 30 days before `until` if left out")]
Until = Annotated[Moment | None, Query(description="Up to, but not including; now if left out")]


@router.get("/sms", responses=problems(404), summary="Messages counted by event, gateway, state and delivery")
async def report_sms(
    services: ServicesDep,
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
    async with services.database.transaction() as session:
        counted = await messages_report.counts(
            session, partner_id=whose, since=begin, until=end, silent_after=services.settings.sms.silent_after
        )
    return SmsReport(since=begin, until=end, partner_id=whose, items=[MessageCountOut.of(count) for count in counted])
