"""What any payment that is asked for must obey, refused with the field's name: the partner's currency, a number that is one,
parts that come to the whole."""

from collections.abc import Iterable

from api.http.values import MoneyIn
from core.errors import InvalidRequest
from core.money import Money
from core.msisdn import Msisdn
from models.tables.platform.partner import Partner


def in_currency_of(partner: Partner, given: MoneyIn, field: str = "amount") -> Money:
    """The amount. Raises InvalidRequest if it is in another currency than the partner's."""
    if given.currency != partner.currency:
        raise InvalidRequest(
            f"The partner's currency is {partner.currency}.", code="currency_differs", field=f"{field}.currency"
        )
    return given.money


def phone_of(given: str, country: str, field: str = "phone") -> Msisdn:
    """The number, in any usual spelling of the country. Raises InvalidRequest, code "invalid_msisdn", naming the field."""
    try:
        return Msisdn.parse(given, country)
    except InvalidRequest as error:
        raise InvalidRequest(error.detail, code=error.code, field=field) from None


def comes_to(parts: Iterable[Money], whole: Money) -> None:
    """Raises InvalidRequest unless the parts are the whole, to the cent."""
    amounts = list(parts)
    for number, part in enumerate(amounts):
        if part.currency != whole.currency:
            raise InvalidRequest(
                f"The payment is in {whole.currency}.",
                code="currency_differs",
                field=f"allocations.{number}.amount.currency",
            )
    total = sum(amounts, Money.zero(whole.currency))
    if total != whole:
        raise InvalidRequest(
            f"The parts come to {total}, the payment is {whole}.", code="allocation_sum", field="allocations"
        )
