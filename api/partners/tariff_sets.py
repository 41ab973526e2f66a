"""Uploads of tariff bands, whatever their form: sorted into whole sets, checked, added or recognised."""

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import pairwise
from typing import Final, NamedTuple

from pydantic import ValidationError
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal
from api.partners.tariffs_schemas import BandIn
from core.csv_files import BadFile, Line, Mistake, read_table
from core.errors import Conflict, InvalidRequest
from core.money import Money
from models.tables.platform.tariff_band import TariffBand
from store.platform import audit, partners, tariff_sets

AT_MOST: Final = 1000
COLUMNS: Final = ("charge", "currency", "from", "to", "fee", "valid_from")
# From a band's fields to the columns of a file.
_COLUMN_OF: Final = {
    "from_amount": "from", "to_amount": "to", "fee": "fee", "charge": "charge", "valid_from": "valid_from",
    "partner_id": "partner_id",
}  # fmt: skip

# Names a band's field for whoever uploaded it: "bands.3.from_amount", or "line 5.from".
Where = Callable[[int, str], str]


class SetKey(NamedTuple):
    """What makes bands one set."""

    charge: str
    currency: str
    valid_from: datetime
    partner_id: str | None


class SetOfBands(NamedTuple):
    """One set in order of its amounts, each band with its place in the upload."""

    key: SetKey
    members: list[tuple[int, BandIn]]


def in_json(place: int, field: str) -> str:
    return f"bands.{place}.{field}"


def read_file(raw: bytes) -> tuple[list[BandIn], Where]:
    """The bands of a file, and how its places are named. Raises BadFile with every mistake."""
    lines = read_table(raw, COLUMNS, optional=("partner_id",), at_most=AT_MOST)
    bands: list[BandIn] = []
    mistakes: list[Mistake] = []
    for line in lines:
        try:
            bands.append(_band(line))
        except ValidationError as error:
            mistakes += [_mistake(line, one["loc"], one["type"], one["msg"]) for one in error.errors()]
    if mistakes:
        raise BadFile(list(dict.fromkeys(mistakes)))

    def where(place: int, field: str) -> str:
        return f"line {lines[place].number}.{_COLUMN_OF.get(field.partition('.')[0], field)}"

    return bands, where


def _band(line: Line) -> BandIn:
    cells = line.cells
    amounts = {
        field: {"amount": cells[column], "currency": cells["currency"]}
        for field, column in (("from_amount", "from"), ("to_amount", "to"), ("fee", "fee"))
    }
    return BandIn.model_validate(
        {
            "charge": cells["charge"], "valid_from": cells["valid_from"], "partner_id": cells["partner_id"] or None,
            **amounts,
        }
    )  # fmt: skip


def _mistake(line: Line, loc: tuple[int | str, ...], rule: str, detail: str) -> Mistake:
    column = "currency" if loc[-1] == "currency" else _COLUMN_OF[str(loc[0])]
    return Mistake(line.number, column, rule, detail)


def grouped(bands: Iterable[BandIn], where: Where = in_json) -> list[SetOfBands]:
    """The bands by set. Raises InvalidRequest naming the field for mixed currencies, an empty band, an overlap or a gap."""
    sets: dict[SetKey, list[tuple[int, BandIn]]] = {}
    for place, band in enumerate(bands):
        currency = band.from_amount.currency
        for field in ("to_amount", "fee"):
            if getattr(band, field).currency != currency:
                raise InvalidRequest(
                    "A band is in one currency.", code="currency_differs", field=where(place, f"{field}.currency")
                )
        if band.to_amount.money < band.from_amount.money:
            raise InvalidRequest(
                "A band ends at or above its beginning.", code="empty_band", field=where(place, "to_amount")
            )
        key = SetKey(band.charge, currency, band.valid_from, band.partner_id)
        sets.setdefault(key, []).append((place, band))
    for members in sets.values():
        members.sort(key=lambda member: member[1].from_amount.money.minor)
        for (_, before), (place, band) in pairwise(members):
            _follows(before, band, where(place, "from_amount"))
    return [SetOfBands(key, members) for key, members in sets.items()]


def _follows(before: BandIn, band: BandIn, field: str) -> None:
    end, begin = before.to_amount.money, band.from_amount.money
    wanted = end + Money(1, end.currency)
    if begin != wanted:
        raise InvalidRequest(
            f"The band after one that ends at {end} begins at {wanted}.",
            code="overlap" if begin < wanted else "gap",
            field=field,
        )


async def add(session: AsyncSession, sets: list[SetOfBands], where: Where, by: Principal) -> int:
    """How many bands were added: a set that exists adds none. Raises Conflict (code "tariff_exists") for a set that exists
    with other bands, NotFound for nobody's."""
    await tariff_sets.lock(session)
    new: list[TariffBand] = []
    for key, members in sets:
        if key.partner_id:
            await partners.get(session, key.partner_id)
        rows = [_row(band, key) for _, band in members]
        existing = await tariff_sets.bands_of(session, **key._asdict())
        if not existing:
            new += rows
        elif _content(existing) != _content(rows):
            raise Conflict(
                "This set exists with other bands; a new one needs a later date.",
                code="tariff_exists",
                field=where(members[0][0], "valid_from"),
            )
    session.add_all(new)
    await session.flush()
    if new:
        added = {"bands": [band.model_dump(mode="json") for _, members in sets for _, band in members]}
        await audit.write(session, actor=by.id, action="tariffs.add", subject="tariffs", after=added)
    return len(new)


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
