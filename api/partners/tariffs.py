"""What charges cost: dated sets of bands, added whole."""

from typing import Final

from fastapi import APIRouter, Request, Response

from api.http.auth import Admin, PartnerReader, Principal
from api.http.csv_bodies import as_problem, csv_body, csv_file, takes
from api.http.dependencies import Services, ServicesDep
from api.http.idempotency import Idempotent, Once
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, again, problems
from api.http.paging import Limit, NumberCursor, Page, page
from api.partners import tariff_sets
from api.partners.tariff_sets import Where
from api.partners.tariffs_schemas import BandIn, BandOut, Charge, TariffAdded, TariffNew
from core.csv_files import BadFile
from store.platform import tariff_sets as stored

router = APIRouter(prefix="/api/v1/tariffs", tags=["tariffs"], dependencies=KNOWN_PARAMETERS)

_FILE: Final = (
    "charge,currency,from,to,fee,valid_from,partner_id\r\n"
    "bank_transfer,KES,0.00,5000.00,20.00,2027-01-01T00:00:00+03:00,\r\n"
    "bank_transfer,KES,5000.01,999999.99,40.00,2027-01-01T00:00:00+03:00,\r\n"
)


@router.get("", responses=problems(), summary="List bands, newest first; a partner sees the general ones and its own")
async def list_tariffs(
    services: ServicesDep,
    principal: PartnerReader,
    charge: Charge | None = None,
    cursor: NumberCursor = None,
    limit: Limit = 50,
) -> Page[BandOut]:
    async with services.database.transaction() as session:
        rows = await stored.page(
            session,
            seen_by=principal.partner_id,
            charge=charge,
            before=int(cursor) if cursor else None,
            limit=limit + 1,
        )
    return page(rows, limit, BandOut.of, lambda row: row.id)


@router.post(
    "",
    status_code=201,
    response_model=TariffAdded,
    responses=again(TariffAdded) | problems(404, "tariff_exists", "idempotency_key_reused", *WRITES),
    summary="Add whole sets of bands",
)
async def add_tariffs(wanted: TariffNew, services: ServicesDep, admin: Admin, once: Idempotent) -> Response:
    """Bands of a set may neither overlap nor leave a gap. A set that exists is not changed: the same one again answers
    200, another one of the same date 409."""
    return await _add(services, admin, once, wanted.bands, tariff_sets.in_json)


@router.post(
    "/import",
    status_code=201,
    response_model=TariffAdded,
    responses=again(TariffAdded) | problems(404, "tariff_exists", "idempotency_key_reused", *WRITES),
    openapi_extra=takes(text_csv=csv_file(_FILE)),
    summary="Add whole sets of bands from a file",
)
async def import_tariffs(request: Request, services: ServicesDep, admin: Admin, once: Idempotent) -> Response:
    """Columns charge, currency, from, to, fee, valid_from and, for one partner's own, partner_id; at most 1,000 rows. The
    whole file or nothing, by the rules of the JSON upload; errors name the line and the column. The same file again
    answers 200."""
    try:
        bands, where = tariff_sets.read_file(await csv_body(request))
    except BadFile as error:
        raise as_problem(error) from None
    return await _add(services, admin, once, bands, where)


async def _add(services: Services, admin: Principal, once: Once, bands: list[BandIn], where: Where) -> Response:
    sets = tariff_sets.grouped(bands, where)
    async with services.database.transaction() as session:
        added = await tariff_sets.add(session, sets, where, admin)
        return await once.reply(session, TariffAdded(bands=added), status=201 if added else 200)
