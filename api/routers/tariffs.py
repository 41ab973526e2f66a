"""What charges cost: dated sets of bands, added whole."""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Literal, NamedTuple

from fastapi import APIRouter, Response

from api.auth import Admin, PartnerReader
from api.dependencies import House
from api.documented import WRITES, again, problems
from api.idempotency import Idempotent
from api.known_parameters import KNOWN_PARAMETERS
from api.paging import Limit, NumberCursor, Page, page
from api.schemas.tariffs import BandIn, BandOut, TariffAdded, TariffNew
from core.errors import Conflict, InvalidRequest
from core.money import Money
from models.tables.partners import TariffBand
from store import audit, partners, tariff_sets

router = APIRouter(prefix="/api/v1/tariffs", tags=["tariffs"], dependencies=KNOWN_PARAMETERS)


class SetKey(NamedTuple):
    """What makes bands one set."""

    charge: str
    currency: str
    valid_from: datetime
    partner_id: str | None


@router.get("", responses=problems(), summary="List bands, newest first; a partner sees the general ones and its own")
async def list_tariffs(
    house: House,
    principal: PartnerReader,
    charge: Literal["mpesa_b2c", "processing", "sms"] | None = None,
    cursor: NumberCursor = None,
    limit: Limit = 50,
) -> Page[BandOut]:
    async with house.database.transaction() as session:
        rows = await tariff_sets.page(
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
    responses=again(TariffAdded) | problems(404, 409, *WRITES),
    summary="Add whole sets of bands",
)
async def add_tariffs(wanted: TariffNew, house: House, admin: Admin, once: Idempotent) -> Response:
    """Bands of a set may neither overlap nor leave a gap. A set that exists is not changed: the same one again answers
    200, another one of the same date 409."""
    sets = grouped(wanted.bands)
    added = 0
    async with house.database.transaction() as session:
        await tariff_sets.lock(session)
        for key, members in sets.items():
            if key.partner_id:
                await partners.get(session, key.partner_id)
            rows = [_row(band, key) for _, band in members]
            existing = await tariff_sets.bands_of(session, **key._asdict())
            if existing:
                if _content(existing) != _content(rows):
                    raise Conflict(
                        "This set exists with other bands; a new one needs a later date.",
                        code="tariff_exists",
                        field=f"bands.{members[0][0]}.valid_from",
                    )
                continue
            session.add_all(rows)
            added += len(rows)
        await session.flush()
        if added:
            await audit.write(
                session, actor=admin.id, action="tariffs.add", subject="tariffs", after=wanted.model_dump(mode="json")
            )
        return await once.reply(session, TariffAdded(bands=added), status=201 if added else 200)


def grouped(bands: Iterable[BandIn]) -> dict[SetKey, list[tuple[int, BandIn]]]:
    """The bands by set, each set in order of its amounts, with each band's place in the upload. Raises InvalidRequest
    naming the field (`bands.3.from_amount`) for mixed currencies, an empty band, an overlap or a gap."""
    sets: dict[SetKey, list[tuple[int, BandIn]]] = {}
    for place, band in enumerate(bands):
        currency = band.from_amount.currency
        for field in ("to_amount", "fee"):
            if getattr(band, field).currency != currency:
                raise InvalidRequest(
                    "A band is in one currency.", code="currency_differs", field=f"bands.{place}.{field}.currency"
                )
        if band.to_amount.money < band.from_amount.money:
            raise InvalidRequest(
                "A band ends at or above its beginning.", code="empty_band", field=f"bands.{place}.to_amount"
            )
        key = SetKey(band.charge, currency, band.valid_from, band.partner_id)
        sets.setdefault(key, []).append((place, band))
    for members in sets.values():
        members.sort(key=lambda member: member[1].from_amount.money.minor)
        for (_, before), (place, band) in pairwise(members):
            _follows(before, band, place)
    return sets


def _follows(before: BandIn, band: BandIn, place: int) -> None:
    end, begin = before.to_amount.money, band.from_amount.money
    wanted = end + Money(1, end.currency)
    if begin != wanted:
        rule = "overlap" if begin < wanted else "gap"
        raise InvalidRequest(
            f"The band after one that ends at {end} begins at {wanted}.", code=rule, field=f"bands.{place}.from_amount"
        )


def _row(band: BandIn, key: SetKey) -> TariffBand:
    return TariffBand(
        partner_id=key.partner_id,
        charge=key.charge,
        currency=key.currency,
        from_minor=band.from_amount.money.minor,
        to_minor=band.to_amount.money.minor,
        fee_minor=band.fee.money.minor,
        valid_from=key.valid_from,
    )


def _content(rows: Iterable[TariffBand]) -> list[tuple[int, int, int]]:
    return sorted((row.from_minor, row.to_minor, row.fee_minor) for row in rows)
