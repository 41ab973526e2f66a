"""What strangers wrote into a payment, as we keep it; what came whole stays sealed."""

from dataclasses import replace
from typing import Final

from core.errors import Garbled
from core.texts import clean
from providers.collecting import PaymentSeen

_LONGEST_ID: Final = 100
_LONGEST_TEXT: Final = 200


def bounded(seen: PaymentSeen) -> PaymentSeen:
    """Cosmetic texts are cut and cleaned. Raises Garbled for an id that is no id: one that was cut could be another's."""
    for identity in (seen.external_id, seen.account):
        if not identity or clean(identity, _LONGEST_ID) != identity:
            raise Garbled("It names a transaction or an account by something that no id is made of.")
    return replace(
        seen, reference=clean(seen.reference, _LONGEST_TEXT), payer_name=clean(seen.payer_name, _LONGEST_TEXT)
    )
