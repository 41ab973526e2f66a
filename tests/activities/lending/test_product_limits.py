"""What a product of a lender lets us pay, in which parts, and what is written of them."""

from typing import Any

import pytest

from activities.lending.loans import check_product, fit_receipts, split
from core.clock import utc_now
from core.errors import InvalidRequest, LimitExceeded, NotAllowed
from core.money import Money
from models.messages.connections.daraja import DarajaSettings
from models.tables.lending.loan_product import LoanProduct

# M-Pesa carries KES 10 to 250,000.
MPESA = DarajaSettings(base_url="http://x", shortcode="600997", initiator_name="k", certificate_pem="-")


def kes(amount: str) -> Money:
    return Money.parse(amount, "KES")


def product(**changes: Any) -> LoanProduct:
    facts: dict[str, Any] = {
        "partner_id": "p", "product_id": 1, "name": "Boda", "currency": "KES", "enabled": True, "min_minor": 100_000,
        "max_minor": 500_000, "daily_minor": None, "above_maximum": "refuse", "synced_at": utc_now(), **changes,
    }  # fmt: skip
    return LoanProduct(**facts)


@pytest.mark.parametrize("amount", ["1000.00", "4999.00", "5000.00"])
def test_within_its_limits_a_product_takes_an_amount(amount: str) -> None:
    allowed = product()
    assert check_product(allowed, kes(amount)) is allowed


@pytest.mark.parametrize(
    ("allowed", "amount", "error", "code"),
    [
        (None, "2000.00", NotAllowed, "product_not_enabled"),
        (product(enabled=False), "2000.00", NotAllowed, "product_not_enabled"),
        (product(currency="UGX"), "2000.00", InvalidRequest, "currency_differs"),
        (product(), "999.99", LimitExceeded, "below_minimum"),
        (product(), "5000.01", LimitExceeded, "above_maximum"),
        (product(daily_minor=300_000), "3000.01", LimitExceeded, "above_daily_limit"),
        (product(above_maximum="split", daily_minor=900_000), "9000.01", LimitExceeded, "above_daily_limit"),
    ],
)
def test_what_a_product_does_not_take_is_refused_with_its_code(
    allowed: LoanProduct | None, amount: str, error: type[Exception], code: str
) -> None:
    with pytest.raises(error) as refused:
        check_product(allowed, kes(amount))
    assert getattr(refused.value, "code", None) == code


@pytest.mark.parametrize(
    ("amount", "parts"),
    [
        ("10.00", ["10.00"]),
        ("5000.00", ["5000.00"]),
        ("12500.00", ["5000.00", "5000.00", "2500.00"]),
        ("10000.00", ["5000.00", "5000.00"]),
        ("10001.00", ["5000.00", "4991.00", "10.00"]),  # no part is below M-Pesa's minimum
    ],
)
def test_parts_are_full_ones_first_and_never_below_the_minimum(amount: str, parts: list[str]) -> None:
    made = split(kes(amount), product(above_maximum="split", min_minor=0), MPESA)
    assert [part.amount for part in made] == parts
    assert sum(made, Money.zero("KES")) == kes(amount)


@pytest.mark.parametrize(
    ("allowed", "amount", "code"),
    [
        (product(), "5000.01", "above_maximum"),
        (product(max_minor=100_000_000), "250001.00", "above_maximum"),  # M-Pesa's own
        (product(above_maximum="split", max_minor=1_900), "100.00", "above_maximum"),  # no two parts of ten fit
        (product(), "9.99", "below_minimum"),
    ],
)
def test_what_cannot_be_sent_in_parts_is_refused(allowed: LoanProduct, amount: str, code: str) -> None:
    with pytest.raises(LimitExceeded) as refused:
        split(kes(amount), allowed, MPESA)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (1, "SFT7K2QX90"),
        (4, "SFT7K2QX90,SFT7K2QX91,SFT7K2QX92,SFT7K2QX93"),
        (6, "SFT7K2QX90,SFT7K2QX91,SFT7K2QX92,SFT7K2QX93+2"),
    ],
)
def test_receipts_are_written_into_fifty_characters_with_how_many_more_there_are(number: int, written: str) -> None:
    assert fit_receipts([f"SFT7K2QX9{n}" for n in range(number)]) == written
    assert len(written) <= 50
