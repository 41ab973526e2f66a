"""Money as an integer count of the smallest unit, with its currency. No float anywhere."""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from core.errors import InvalidRequest

# ISO 4217 exponents of the currencies that the product meets. A currency that is not listed is refused, since a
# guessed exponent is off by a factor of a hundred.
EXPONENTS: Final[dict[str, int]] = {
    "KES": 2, "TZS": 2, "ZMW": 2, "GHS": 2, "NGN": 2, "BWP": 2, "ZAR": 2, "MWK": 2, "ETB": 2, "CDF": 2, "MZN": 2,
    "USD": 2, "EUR": 2, "GBP": 2,
    "UGX": 0, "RWF": 0, "BIF": 0, "XAF": 0, "XOF": 0, "DJF": 0, "GNF": 0, "KMF": 0,
}  # fmt: skip

# Raises where the default context would quietly round an amount to 28 digits.
_EXACT: Final = Context(prec=60, traps=[Inexact, InvalidOperation])

# The largest single amount by currency, in minor units: above anything that is honestly paid at once (KES 10,000,000,000),
# and so far below PostgreSQL's bigint (9.2 × 10^18) that sums of millions of them fit in it.
LARGEST_MINOR: Final[dict[str, int]] = {**dict.fromkeys(EXPONENTS, 10**12), "USD": 10**11, "EUR": 10**11, "GBP": 10**11}

# What a sum may come to. A pool's total is read from numeric columns, so it is not bound by bigint.
MAX_MINOR: Final = 10**27  # 28 digits, which the default decimal context keeps

# ASCII digits and at most one dot: no exponent, no other script's digits, no blank, underscore or comma.
_PLAIN: Final = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)


def exponent_of(currency: str) -> int:
    """Decimal places of a currency. Raises InvalidRequest for one that we do not know."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise InvalidRequest(f"Currency {currency!r} is not one that Kivuko knows.", field="currency") from None


class Money(BaseModel):
    """An exact amount: `minor` smallest units (KES cents, whole UGX) of `currency` (ISO 4217)."""

    model_config = ConfigDict(frozen=True)

    minor: int = Field(ge=-MAX_MINOR, le=MAX_MINOR, strict=True)
    currency: str

    def __init__(self, minor: int, currency: str, **ignored: Any) -> None:
        # Positional construction reads better in business code: Money(125_000, "KES").
        super().__init__(minor=minor, currency=currency, **ignored)

    @field_validator("currency")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in EXPONENTS:
            raise ValueError(f"currency {value!r} is not one that Kivuko knows")
        return value

    @classmethod
    def parse(cls, amount: str | Decimal | int, currency: str, *, signed: bool = False, bounded: bool = True) -> Self:
        """From major units, exactly: Money.parse("1250.50", "KES"). A text has digits and at most one dot; a sign only
        with `signed`, where a provider really sends one. `bounded=False` is for balances, which are sums.

        Raises InvalidRequest for what is no amount or would have to be rounded; its code is "amount_too_large" above
        `LARGEST_MINOR`.
        """
        exponent = exponent_of(currency)
        if isinstance(amount, float):
            raise InvalidRequest("An amount may not be a float; give a string or a decimal.", field="amount")
        if isinstance(amount, str) and not _PLAIN.fullmatch(amount[1:] if signed and amount[:1] in "+-" else amount):
            raise InvalidRequest("An amount is written in digits with at most one dot.", field="amount")
        try:
            minor = Decimal(amount).scaleb(exponent, context=_EXACT)
        except InvalidOperation:
            raise InvalidRequest("The amount is not a decimal number.", field="amount") from None
        except Inexact:
            raise InvalidRequest("The amount has more digits than any amount needs.", field="amount") from None
        if not minor.is_finite() or minor != minor.to_integral_value():
            raise InvalidRequest(f"{currency} has {exponent} decimal places; the amount has more.", field="amount")
        if abs(minor) > (LARGEST_MINOR[currency] if bounded else MAX_MINOR):
            raise InvalidRequest("The amount is too large.", code="amount_too_large", field="amount")
        return cls(int(minor), currency)

    @classmethod
    def zero(cls, currency: str) -> Self:
        return cls(0, currency)

    @property
    def major(self) -> Decimal:
        """The amount in major units, exact."""
        return Decimal(self.minor).scaleb(-exponent_of(self.currency))

    @property
    def amount(self) -> str:
        """The amount in major units as text with all its decimal places: "1250.00"."""
        return f"{self.major:.{exponent_of(self.currency)}f}"

    def whole_units(self) -> int:
        """The amount as whole major units (M-Pesa takes whole shillings). Raises InvalidRequest if it has a fraction."""
        if self.major != self.major.to_integral_value():
            raise InvalidRequest(f"{self} is not a whole number of {self.currency}.", field="amount")
        return int(self.major)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.minor >= self._same(other)

    def __str__(self) -> str:
        return f"{self.currency} {self.major:,.{exponent_of(self.currency)}f}"

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise InvalidRequest(f"{self.currency} and {other.currency} cannot be mixed.", field="currency")
        return other.minor
