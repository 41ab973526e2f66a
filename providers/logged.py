"""What of a call to a provider is kept in the exchange log: no secret, no phone, no name, and of an answer that is not the
provider's own nothing but its length and digest."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote, quote_plus

from core.addresses import DiallingRules
from core.crypto import sha256_hex
from providers.spoken import is_spoken

_SECRET_WORDS = (
    "password", "securitycredential", "authorization", "apikey", "api_key", "token", "secret", "passkey",
    "payload url",  # a Fineract hook: its path is a secret
)  # fmt: skip
_PHONE_WORDS = ("partyb", "msisdn", "phone", "mobileno", "to", "phonenumber", "accountnumber", "number", "phonenumbers")
# Names of people are personal data too; message texts hold names and amounts.
_TEXT_WORDS = (
    "receiverpartypublicname", "creditpartyname", "debitpartyname", "displayname", "firstname", "middlename",
    "lastname", "fullname", "clientname", "sms", "message", "text",
)  # fmt: skip
_MAX_LOGGED = 16_000
_MAX_PAGE = 500


def of_answer(provider: str, text: str, value: Any, rules: DiallingRules) -> Any:
    """A page that is no JSON is kept (its beginning) only where the house itself chose the address: behind one that a
    partner gave may stand a server that nobody meant to be read."""
    if value is not None and is_spoken(provider, value):
        return sanitise(value)
    if rules.anywhere or not text:
        return text[:_MAX_PAGE]
    return {"not_kept": f"{len(text)} characters", "sha256": sha256_hex(text)}


def sanitise(value: Any, key: str = "") -> Any:
    """A copy fit for the log: secrets gone, phone numbers and names masked, decimals as text, size bounded."""
    word = key.lower().replace("_", "").replace("-", "")
    if any(secret.replace("_", "") in word for secret in _SECRET_WORDS) and value is not None:
        return "•••"
    if isinstance(value, dict):
        # Daraja's parameter lists are [{"Key": …, "Value": …}]: the name sits beside the value.
        named = str(value.get("Key") or value.get("Name") or "")
        return {k: sanitise(v, named if k == "Value" and named else str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [sanitise(item, key) for item in value[:200]]
    if isinstance(value, Decimal):
        value = str(value)
    if word in _PHONE_WORDS and value is not None:
        text = str(value)
        return f"{text[:5]}•••{text[-3:]}" if len(text) > 8 else "•••"
    if word in _TEXT_WORDS and value:
        return "•••"
    if isinstance(value, str):
        return value[:_MAX_LOGGED]
    return value


def hidden_in(*sources: Any) -> set[str]:
    """The texts of flat requests that `sanitise` does not show whole, also as a URL spells them."""
    hidden: set[str] = set()
    for source in sources:
        for key, value in source.items() if isinstance(source, Mapping) else ():
            # Very short texts ("1") would strike half the answer and hide nothing.
            if isinstance(value, str) and len(value) >= 4 and sanitise(value, key) not in (value, value[:_MAX_LOGGED]):
                hidden |= {value, quote(value, safe=""), quote_plus(value)}
                if key.lower() == "authorization":
                    hidden.add(value.rpartition(" ")[2])  # the token without its scheme
    return hidden


def strike(value: Any, hidden: set[str]) -> Any:
    """A copy without the hidden texts."""
    if isinstance(value, dict):
        return {key: strike(item, hidden) for key, item in value.items()}
    if isinstance(value, list):
        return [strike(item, hidden) for item in value]
    if isinstance(value, str):
        for text in sorted(hidden, key=len, reverse=True):
            value = value.replace(text, "•••")
    return value
