import operator
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.errors import InvalidRequest
from core.money import EXPONENTS, LARGEST_MINOR, MAX_MINOR, Money, exponent_of

currencies = st.sampled_from(sorted(EXPONENTS))
minors = st.integers(min_value=-MAX_MINOR, max_value=MAX_MINOR)


@given(minors, currencies)
def test_an_amount_survives_being_spelled_and_parsed(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.parse(money.amount, currency, signed=True, bounded=False) == money
    assert Money.parse(money.major, currency, bounded=False) == money


@given(minors, currencies)
def test_an_amount_survives_json(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.model_validate_json(money.model_dump_json()) == money


@given(minors, currencies)
def test_an_amount_is_spelled_with_all_its_decimal_places(minor: int, currency: str) -> None:
    whole, _, fraction = Money(minor, currency).amount.partition(".")
    assert whole.lstrip("-").isdecimal()
    assert len(fraction) == EXPONENTS[currency]


@given(
    st.integers(min_value=-(10**15), max_value=10**15), st.integers(min_value=-(10**15), max_value=10**15), currencies
)
def test_sums_and_order_are_those_of_the_integers(left: int, right: int, currency: str) -> None:
    one, other = Money(left, currency), Money(right, currency)
    assert (one + other).minor == left + right
    assert (one - other).minor == left - right
    assert (one < other, one <= other, one > other, one >= other) == (
        left < right,
        left <= right,
        left > right,
        left >= right,
    )


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1250.50", "KES", 125_050),
        ("1250.5", "KES", 125_050),
        ("1250.500", "KES", 125_050),
        ("1250", "KES", 125_000),
        (1250, "KES", 125_000),
        (Decimal("0.01"), "ZMW", 1),
        (Decimal("-3.10"), "KES", -310),
        (Decimal("1E+3"), "KES", 100_000),
        ("1250", "UGX", 1250),
        ("1250.00", "RWF", 1250),
        ("0", "KES", 0),
    ],
)
def test_major_units_are_parsed_exactly(amount: str | int | Decimal, currency: str, minor: int) -> None:
    assert Money.parse(amount, currency).minor == minor


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("0.001", "KES"), ("1.5", "UGX"), ("12,50", "KES"), ("", "KES"), ("ten", "KES"), ("NaN", "KES"), ("Infinity", "KES"),
     ("sNaN", "KES"), ("1", "XXX"), ("1", "kes"), (str(MAX_MINOR), "KES"), ("1e400", "KES"),
     ("1e3", "KES"), ("1E2", "UGX"), ("-3.10", "KES"), ("+3.10", "KES"), (" 3.10", "KES"), ("3.10\n", "KES"),
     ("1_000", "KES"), ("１２", "KES"), ("٣", "KES"), ("1,000.00", "KES"), ("1.", "KES"), (".5", "KES"), ("1.2.3", "KES"),
     ("0x10", "KES"), ("9" * 100_000, "KES"),
     ("0.1000000000000000055511151231257827021181583404541015625", "KES")],
)  # fmt: skip
def test_what_would_have_to_round_or_is_no_amount_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(InvalidRequest):
        Money.parse(amount, currency)


def test_a_long_fraction_is_refused_and_not_rounded_by_the_decimal_context() -> None:
    # 30 significant digits: more than the default context keeps.
    with pytest.raises(InvalidRequest):
        Money.parse("1.00000000000000000000000000001", "KES")


@pytest.mark.parametrize("currency", sorted(EXPONENTS))
def test_there_is_a_largest_amount_of_each_currency(currency: str) -> None:
    largest = Money(LARGEST_MINOR[currency], currency)
    assert Money.parse(largest.amount, currency) == largest
    assert 5_000_000 * largest.minor < 2**63  # sums of millions fit the database's integers
    too_large = Money(largest.minor + 1, currency)
    for amount in (too_large.amount, too_large.major, Decimal("1e200000"), 10**19):
        with pytest.raises(InvalidRequest) as caught:
            Money.parse(amount, currency)
        assert caught.value.code == "amount_too_large"
    assert Money.parse(too_large.amount, currency, bounded=False) == too_large  # a balance is a sum


def test_a_sign_is_taken_only_where_a_provider_sends_one() -> None:
    assert Money.parse("-3.10", "KES", signed=True) == Money(-310, "KES")
    assert Money.parse("+3.10", "KES", signed=True) == Money(310, "KES")
    for text in ("--3.10", "-", "+-3", "- 3", "3-", ""):
        with pytest.raises(InvalidRequest):
            Money.parse(text, "KES", signed=True)


@pytest.mark.parametrize("amount", [1.5, 1.0])
def test_a_float_is_refused_even_if_it_is_whole(amount: float) -> None:
    with pytest.raises(InvalidRequest):
        Money.parse(amount, "KES")  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Money(amount, "KES")  # type: ignore[arg-type]


@pytest.mark.parametrize("minor", [MAX_MINOR + 1, -MAX_MINOR - 1])
def test_more_than_the_ledger_can_hold_is_refused(minor: int) -> None:
    with pytest.raises(ValidationError):
        Money(minor, "KES")


def test_currencies_do_not_mix() -> None:
    mixes: list[Callable[[Money, Money], object]] = [
        operator.add, operator.sub, operator.lt, operator.le, operator.gt, operator.ge,
    ]  # fmt: skip
    for mix in mixes:
        with pytest.raises(InvalidRequest):
            mix(Money(1, "KES"), Money(1, "UGX"))
    assert Money(1, "KES") != Money(1, "UGX")


def test_an_unknown_currency_has_no_guessed_exponent() -> None:
    with pytest.raises(InvalidRequest):
        exponent_of("XYZ")
    with pytest.raises(ValidationError):
        Money(1, "XYZ")


def test_whole_units_refuse_cents() -> None:
    assert Money(125_000, "KES").whole_units() == 1250
    assert Money(1250, "UGX").whole_units() == 1250
    with pytest.raises(InvalidRequest):
        Money(125_050, "KES").whole_units()


def test_money_is_a_value() -> None:
    assert {Money(1, "KES"), Money(1, "KES")} == {Money(1, "KES")}
    with pytest.raises(ValidationError):
        Money(1, "KES").minor = 2  # type: ignore[misc]
    assert str(Money(123_456_789, "KES")) == "KES 1,234,567.89"
    assert str(Money(1234, "UGX")) == "UGX 1,234"
