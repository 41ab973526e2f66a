"""Values in JSON: money as exact text, texts that the database can keep, times, ids. The base of every body and answer."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Final, Self
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from core.errors import InvalidRequest
from core.money import EXPONENTS, Money

BIGINT: Final = 2**63 - 1  # PostgreSQL's largest


class Body(BaseModel):
    """What a caller sends. Unknown fields are refused: a misspelt one must not be a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Out(BaseModel):
    """What we answer."""

    model_config = ConfigDict(frozen=True)


def example(**values: Any) -> ConfigDict:
    """The example of a model in the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": [values]})


def _known_currency(value: str) -> str:
    if value not in EXPONENTS:
        raise PydanticCustomError("unknown_currency", "Give the ISO 4217 code of a currency that Kivuko knows")
    return value


Currency = Annotated[
    str,
    Field(strict=True),
    AfterValidator(_known_currency),
    WithJsonSchema({"type": "string", "enum": sorted(EXPONENTS), "description": "ISO 4217"}),
]


class MoneyIn(Body):
    """An exact amount of zero or more: text with a point, never a number, with no more decimals than the currency has."""

    model_config = example(amount="1250.00", currency="KES")

    # Before the amount, whose check needs it.
    currency: Currency
    amount: str = Field(strict=True, pattern=r"^(0|[1-9][0-9]{0,15})(\.[0-9]{1,2})?$")

    @field_validator("amount")
    @classmethod
    def _fits_the_currency(cls, value: str, info: ValidationInfo) -> str:
        if currency := info.data.get("currency"):
            try:
                Money.parse(value, currency)
            except InvalidRequest as error:
                rule = "amount_too_large" if error.code == "amount_too_large" else "decimal_places"
                raise PydanticCustomError(rule, "{detail}", {"detail": error.detail}) from None
        return value

    @property
    def money(self) -> Money:
        return Money.parse(self.amount, self.currency)


def _positive(value: MoneyIn) -> MoneyIn:
    if value.money.minor <= 0:
        raise PydanticCustomError("not_positive", "The amount must be more than zero")
    return value


PositiveMoney = Annotated[MoneyIn, AfterValidator(_positive)]


class MoneyOut(Out):
    """An exact amount, as text with all decimals of its currency; negative where money went away."""

    model_config = example(amount="1250.00", currency="KES")

    amount: str
    currency: str

    @classmethod
    def of(cls, money: Money) -> Self:
        return cls(amount=money.amount, currency=money.currency)

    @classmethod
    def minor(cls, minor: int | None, currency: str) -> Self | None:
        return None if minor is None else cls.of(Money(minor, currency))


# One line of text. Control characters are refused: PostgreSQL cannot keep NUL, and no honest name holds a line break.
def _line(longest: int) -> StringConstraints:
    return StringConstraints(
        strict=True, strip_whitespace=True, min_length=1, max_length=longest, pattern=r"^[^\x00-\x1f\x7f]*$"
    )


Line = Annotated[str, _line(120)]
ShortLine = Annotated[str, _line(60)]
# Several lines of a person's words.
Prose = Annotated[
    str, StringConstraints(strict=True, strip_whitespace=True, min_length=3, max_length=1000, pattern=r"^[^\x00]*$")
]
Note = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, max_length=200, pattern=r"^[^\x00-\x1f]*$")]

# What a person types as the number of an account at the lender.
AccountNumber = Annotated[
    str,
    StringConstraints(
        strict=True, strip_whitespace=True, min_length=1, max_length=50, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ./_\-]*$"
    ),
]
# A provider's id of a payment that came in. Kept in capitals, as providers spell it: what they announce later must be known
# for the same payment, or it would be booked twice.
Capitals = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9]{3,40}$"), AfterValidator(lambda text: text.upper())
]

# A phone as people write it, with a country code or in the spelling of the partner's country; read by `money_rules.phone_of`.
PhoneText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=40)]


@cache
def time_zones() -> tuple[str, ...]:
    """The names of the IANA database, sorted."""
    return tuple(sorted(available_timezones()))


@cache
def _zone_set() -> frozenset[str]:
    return frozenset(time_zones())


def _known_zone(value: str) -> str:
    if value not in _zone_set():
        raise PydanticCustomError("unknown_timezone", "Give a zone of the IANA database, such as Africa/Nairobi")
    return value


Timezone = Annotated[str, _line(60), AfterValidator(_known_zone)]


def _sane_year(value: datetime) -> datetime:
    if not 2000 <= value.year <= 2200:
        raise PydanticCustomError("year_out_of_range", "Give a moment between the years 2000 and 2200")
    return value.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_sane_year)]


def id_pattern(prefix: str) -> str:
    """The regular expression of our ids with this prefix."""
    return rf"^{prefix}_[0-9a-hjkmnp-tv-z]{{26}}$"


def checked_by(check: Callable[[str], object], rule: str, message: str) -> AfterValidator:
    """A validator that refuses a text for which `check` raises ValueError."""

    def validate(value: str) -> str:
        try:
            check(value)
        except ValueError:
            raise PydanticCustomError(rule, "{message}", {"message": message}) from None
        return value

    return AfterValidator(validate)
