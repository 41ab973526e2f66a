"""What can be known before a provider is asked: whole shillings, phones and operators that a bank can serve.

Refused here with the field's name, where a saga would only end without money.
"""

import re
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from core.errors import Conflict, InvalidRequest
from core.money import Money
from core.msisdn import Msisdn
from models.messages.connections.bank import BankSettings
from models.messages.lending.float_purchase import Operator
from models.tables.platform.partner import Partner
from store.platform import partners

# Whom M-Pesa prompts (daraja.md 11); the till of NCBA prompts the same (bank_ncba.md 3).
_PROMPTED: Final = re.compile(r"254[17]\d{8}")
# What each dialect's bank sells: NCBA M-Pesa float alone, as far as anyone has seen (bank_ncba.md 1).
_SOLD: Final[dict[str, frozenset[Operator]]] = {
    "ncba": frozenset({"mpesa"}),
    "reference": frozenset({"mpesa", "airtel", "mtn"}),
}


def can_be_prompted(amount: Money, phone: Msisdn) -> None:
    """Raises InvalidRequest for an amount with cents, or a phone that is no Kenyan mobile number."""
    try:
        amount.whole_units()
    except InvalidRequest:
        raise InvalidRequest(
            "A payer can be asked for whole shillings only.", code="not_whole", field="amount.amount"
        ) from None
    if not _PROMPTED.fullmatch(phone.digits):
        raise InvalidRequest("Only Kenyan mobile numbers can be prompted.", code="not_promptable", field="phone")


async def bank_of(session: AsyncSession, partner: Partner) -> BankSettings:
    """Raises NotFound (code "no_connection")."""
    return BankSettings.model_validate((await partners.connection(session, partner.id, "bank")).settings)


def bank_prompts(bank: BankSettings) -> None:
    """Raises InvalidRequest where the bank has no till that could prompt a payer (bank_ncba.md 3)."""
    if bank.dialect != "ncba" or bank.till_base_url is None:
        raise InvalidRequest(
            "The partner's bank cannot prompt payers; leave the phone out and pay by bank transfer.",
            code="no_till",
            field="phone",
        )


def bank_sells(bank: BankSettings, operator: Operator) -> None:
    """Raises InvalidRequest for float that the bank does not sell."""
    if operator not in _SOLD[bank.dialect]:
        raise InvalidRequest(
            f"The partner's bank sells float of {', '.join(sorted(_SOLD[bank.dialect]))} only.",
            code="unsupported_operator",
            field="operator",
        )


async def somebody_confirms(session: AsyncSession, partner: Partner) -> None:
    """Raises Conflict unless somebody of the partner's would get a one-time code."""
    if not any(contact.role == "authorised" for contact in await partners.contacts(session, partner.id)):
        raise Conflict(
            "The partner has no authorised contact who could confirm with a code.", code="no_authorised_contact"
        )
