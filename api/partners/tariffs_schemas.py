"""Tariffs: dated sets of bands. The set with the latest past date is valid; a partner's own outranks the general one."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from api.http.values import Body, Moment, MoneyIn, MoneyOut, Out, example, id_pattern
from core.ids import PARTNER
from core.money import Money
from models.tables.platform.tariff_band import TariffBand

Charge = Literal["mpesa_b2c", "processing", "sms", "bank_transfer", "float_processing"]

_BAND = {
    "charge": "mpesa_b2c", "from_amount": {"amount": "1.00", "currency": "KES"},
    "to_amount": {"amount": "100.99", "currency": "KES"}, "fee": {"amount": "0.00", "currency": "KES"},
    "valid_from": "2027-01-01T00:00:00+03:00", "partner_id": None,
}  # fmt: skip


class BandIn(Body):
    """The fee for amounts from `from_amount` to `to_amount`, both included. Bands of one charge, partner, currency and
    date are a set: each begins one smallest unit above the end of the one before."""

    model_config = example(**_BAND)

    charge: Charge
    from_amount: MoneyIn
    to_amount: MoneyIn
    fee: MoneyIn
    valid_from: Moment
    partner_id: str | None = Field(
        default=None, strict=True, pattern=id_pattern(PARTNER), description="Left out: for every partner"
    )


class TariffNew(Body):
    """One or more whole sets."""

    model_config = example(bands=[_BAND])

    bands: list[BandIn] = Field(min_length=1, max_length=500)


class BandOut(Out):
    """A band as it is kept. Bands are never changed: a new set with a later date takes over."""

    model_config = example(id="7", **_BAND)

    id: str
    charge: Charge
    from_amount: MoneyOut
    to_amount: MoneyOut
    fee: MoneyOut
    valid_from: datetime
    partner_id: str | None

    @classmethod
    def of(cls, row: TariffBand) -> Self:
        return cls.model_validate(
            {
                "id": str(row.id),
                "charge": row.charge,
                "from_amount": MoneyOut.of(Money(row.from_minor, row.currency)),
                "to_amount": MoneyOut.of(Money(row.to_minor, row.currency)),
                "fee": MoneyOut.of(Money(row.fee_minor, row.currency)),
                "valid_from": row.valid_from,
                "partner_id": row.partner_id,
            }
        )


class TariffAdded(Out):
    """How many bands were added."""

    model_config = example(bands=5)

    bands: int
