"""Reports of whole local days, for people and for their tools: as JSON, as a file for spreadsheets, as PDF."""

import asyncio
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header, Query, Response

from api.http.accepting import wanted
from api.http.auth import DisbursementReader, Principal
from api.http.dependencies import Services, ServicesDep
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import problems
from api.http.paging import PartnerFilter
from api.operations.reports_schemas import EXAMPLE_CSV, ReportOut
from core.clock import local_date, utc_now
from core.errors import InvalidRequest, NotAllowed
from reports.build import KINDS, build
from reports.plain import as_csv
from reports.shapes import Kind, Period, Report, Scope
from store.platform import partners

router = APIRouter(prefix="/api/v1/reports", tags=["reports"], dependencies=KNOWN_PARAMETERS)

JSON: Final = "application/json"
_MEDIA_TYPES: Final = {"json": JSON, "csv": "text/csv", "pdf": "application/pdf"}
_BALANCES: Final = "wallets:read"

Day = Annotated[date | None, Query(ge=date(2000, 1, 1), le=date(2200, 1, 1))]
OneDay = Annotated[Day, Query(alias="date", description="One day; yesterday if no days are named")]
FromDay = Annotated[Day, Query(description="The first of several days")]
ToDay = Annotated[Day, Query(description="The last of them; by default the first")]
Format = Annotated[
    Literal["json", "csv", "pdf"] | None, Query(description="Of the answer; by default what `Accept` asks for")
]
TableName = Annotated[
    str | None,
    Query(pattern=r"^[a-z_]{1,30}$", description="Which table the CSV file holds; by default the first"),
]


def _responses(kind: Kind) -> dict[int | str, dict[str, Any]]:
    forms: dict[str, Any] = {
        "text/csv": {"schema": {"type": "string"}, "example": EXAMPLE_CSV},
        "application/pdf": {"schema": {"type": "string", "format": "binary"}, "example": "%PDF-1.3 …"},
    }
    return {200: {"model": ReportOut, "description": KINDS[kind].about, "content": forms}, **problems(404, 406)}


def _add(kind: Kind) -> None:
    """Each kind is an operation of its own: it says what is in it, and a key may be allowed one and not another."""

    async def endpoint(
        services: ServicesDep,
        principal: DisbursementReader,
        day: OneDay = None,
        from_date: FromDay = None,
        to_date: ToDay = None,
        partner_id: PartnerFilter = None,
        format: Format = None,
        table: TableName = None,
        accept: Annotated[str | None, Header(max_length=1000)] = None,
    ) -> Response:
        media_type = _MEDIA_TYPES[format] if format else wanted(accept, list(_MEDIA_TYPES.values()))
        need_to_read(principal, kind)
        whose = partner_id or principal.partner_id
        if whose is not None:
            principal.visible(whose)
        period = await _period(services, whose, day, from_date, to_date)
        async with services.database.transaction() as session:
            report = await build(session, kind, Scope(period, whose, services.settings.sms.silent_after))
        return await _sent(report, media_type, table)

    told = KINDS[kind]
    router.add_api_route(
        f"/{kind}",
        endpoint,
        methods=["GET"],
        name=f"report_{kind}",
        response_class=Response,
        responses=_responses(kind),
        summary=f"{told.title}: {told.about[0].lower()}{told.about[1:]}",
        description=_DESCRIPTION
        + (f" It shows balances: the key needs `{_BALANCES}` too." if told.shows_balances else ""),
    )


_DESCRIPTION: Final = (
    "Days are those of the partner's time zone, without a partner those of the installation's; at most 366 of them. CSV "
    "holds one table, JSON and PDF all; no cell is a formula."
)


def need_to_read(principal: Principal, kind: Kind) -> None:
    """Raises NotAllowed (code "scope_missing") for a key that may not see what this kind shows."""
    if KINDS[kind].shows_balances and not principal.may(_BALANCES):
        raise NotAllowed(f"The key lacks the scope {_BALANCES}.", code="scope_missing", scope=_BALANCES)


async def _period(
    services: Services, partner_id: str | None, day: date | None, first: date | None, last: date | None
) -> Period:
    """Raises InvalidRequest for days that do not fit together, NotFound for a partner that there is not."""
    if day is not None and (first is not None or last is not None):
        raise InvalidRequest("Name one day, or the first and the last.", code="two_periods", field="date")
    if last is not None and first is None:
        raise InvalidRequest("Name the first day too.", code="missing", field="from_date")
    zone = services.settings.reports.timezone
    if partner_id is not None:
        async with services.database.transaction() as session:
            zone = (await partners.get(session, partner_id)).timezone
    begin = day or first or local_date(utc_now(), zone) - timedelta(days=1)
    return Period(begin, last or begin, zone)


async def _sent(report: Report, media_type: str, table: str | None) -> Response:
    chosen = report.table(table)
    if media_type == JSON:
        return Response(ReportOut.of(report).model_dump_json(), media_type=JSON)
    content = await asyncio.to_thread(_pdf, report) if media_type == "application/pdf" else as_csv(chosen)
    days = f"{report.period.first}" + ("" if report.period.first == report.period.last else f"-to-{report.period.last}")
    part = "" if media_type == "application/pdf" else f"-{chosen.name}"
    name = f"kivuko-{report.kind}{part}-{days}.{media_type.partition('/')[2]}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept"}
    return Response(content, media_type=media_type, headers=headers)


def _pdf(report: Report) -> bytes:
    from reports.pdf import as_pdf  # a third of a second to import, which a process that makes none need not take

    return as_pdf(report)


for _kind in KINDS:
    _add(_kind)
