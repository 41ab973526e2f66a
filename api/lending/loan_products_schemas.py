"""Loan products, and within which limits their loans are paid out."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from api.http.values import Body, MoneyIn, MoneyOut, Out, PositiveMoney, example
from core.money import Money
from models.tables.lending.loan_product import LoanProduct


class ProductLimits(Body):
    """All of a product's settings. `split` pays a loan above the maximum in several payouts; `may_go_early` pays one before
    the day on which Fineract expects it to be disbursed."""

    model_config = example(
        enabled=True, minimum={"amount": "100.00", "currency": "KES"},
        maximum={"amount": "150000.00", "currency": "KES"}, daily_limit=None, above_maximum="refuse",
        may_go_early=False,
    )  # fmt: skip

    enabled: bool = Field(strict=True)
    minimum: MoneyIn
    maximum: PositiveMoney
    daily_limit: PositiveMoney | None = None
    above_maximum: Literal["refuse", "split"] = "refuse"
    may_go_early: bool = Field(default=False, strict=True)


class ProductOut(Out):
    """A loan product of the partner's Fineract."""

    model_config = example(
        product_id=1, name="Boda Boda Loan", currency="KES", enabled=True,
        minimum={"amount": "100.00", "currency": "KES"}, maximum={"amount": "150000.00", "currency": "KES"},
        daily_limit=None, above_maximum="refuse", may_go_early=False, synced_at="2026-11-21T06:14:03Z",
    )  # fmt: skip

    product_id: int
    name: str
    currency: str
    enabled: bool
    minimum: MoneyOut
    maximum: MoneyOut
    daily_limit: MoneyOut | None
    above_maximum: Literal["refuse", "split"]
    may_go_early: bool
    synced_at: datetime

    @classmethod
    def of(cls, row: LoanProduct) -> Self:
        return cls.model_validate(
            {
                "product_id": row.product_id,
                "name": row.name,
                "currency": row.currency,
                "enabled": row.enabled,
                "minimum": MoneyOut.of(Money(row.min_minor, row.currency)),
                "maximum": MoneyOut.of(Money(row.max_minor, row.currency)),
                "daily_limit": MoneyOut.minor(row.daily_minor, row.currency),
                "above_maximum": row.above_maximum,
                "may_go_early": row.may_go_early,
                "synced_at": row.synced_at,
            }
        )


class ProductsFetched(Out):
    """What a fetch found. New products come disabled."""

    model_config = example(found=4, new=1)

    found: int
    new: int


class ProductList(Out):
    """All products of a partner: there are few, so they are not paged."""

    items: list[ProductOut]
