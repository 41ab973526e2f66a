"""Damza's two spellings (sms_email.md 1). The vendor publishes no contract, so every code below is hearsay:

panel      `GET /sms/api?action=send-sms&api_key&to&from&sms` → {"code": "ok" | "<n>", "message": …}; a commodity panel
           product whose code table several vendors publish in the same words (that is where 100 to 111 come from)
airtouch   `GET /sms/api/?issn&msisdn&text&username&password&sms_id` → {"status_code": "1000", "message_id": …};
           the password is the hex MD5 of the API key (the vendor's demand; it protects nothing)

A code that is in no table is not read as a refusal by itself: what the answer says in words may be one
(`providers/sms.py: read_words`). One vendor of the panel sends "100" with "Successfully Send" for a message that it took.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal

from core.errors import InsufficientFunds, InvalidRequest, NotAllowed, Rejected
from core.msisdn import Msisdn
from core.texts import clean
from providers.facts import ID_LENGTH
from providers.ports import SmsAccepted
from providers.sms import Refusal, SmsCredentials, read_words

GATEWAY: Final = "damza"

PANEL_PATH: Final = "/sms/api"
AIRTOUCH_PATH: Final = "/sms/api/"
AIRTOUCH_BALANCE_PATH: Final = "/users/balance-api/"

# One application in the family takes "1000" for success on the panel too.
PANEL_ACCEPTED: Final = frozenset({"ok", "1000"})
# 111 ("contains a spam word, wait for approval") is left out on purpose: a person may release the message later.
PANEL_REFUSED: Final[dict[str, Refusal]] = {
    "100": Refusal("bad gateway request", failover=True),
    "101": Refusal("wrong action", failover=True),
    "102": Refusal("authentication failed", failover=True, error=NotAllowed),
    "103": Refusal("invalid phone number", failover=False, error=InvalidRequest),
    "104": Refusal("phone coverage not active", failover=True),
    "105": Refusal("our balance with the gateway is too low", failover=True, error=InsufficientFunds),
    "106": Refusal("invalid sender id", failover=True),
    "107": Refusal("invalid SMS type", failover=True),
    "108": Refusal("gateway not active", failover=True),
    "109": Refusal("invalid schedule time", failover=True),
    "110": Refusal("media URL required", failover=True),
}

AIRTOUCH_ACCEPTED: Final = "1000"
AIRTOUCH_REFUSED: Final[dict[str, Refusal]] = {
    "1001": Refusal("sender id problem", failover=True),
    "1004": Refusal("our balance with the gateway is too low", failover=True, error=InsufficientFunds),
    "1006": Refusal("invalid credentials", failover=True, error=NotAllowed),
    "1011": Refusal("invalid user", failover=True, error=NotAllowed),
}


def airtouch_password(api_key: str) -> str:
    return hashlib.md5(api_key.encode(), usedforsecurity=False).hexdigest()


def panel_send(credentials: SmsCredentials, to: Msisdn, text: str) -> dict[str, str]:
    """Query of a panel send. `response=json` is in the panel's own template; without it some answer in plain text."""
    return {
        "action": "send-sms",
        "api_key": credentials.api_key,
        "to": to.digits,
        "from": credentials.sender_id,
        "sms": text,
        "response": "json",
    }


def panel_balance(credentials: SmsCredentials) -> dict[str, str]:
    return {"action": "check-balance", "api_key": credentials.api_key, "response": "json"}


def airtouch_send(credentials: SmsCredentials, to: Msisdn, text: str, reference: str) -> dict[str, str]:
    """Query of an AirTouch send. `sms_id` is ours, for tracing; that it stops a duplicate is not known."""
    return {
        "issn": credentials.sender_id,
        "msisdn": to.digits,
        "text": text,
        "username": credentials.username,
        "password": airtouch_password(credentials.api_key),
        "sms_id": reference,
    }


def airtouch_balance(credentials: SmsCredentials) -> dict[str, str]:
    return {"username": credentials.username, "password": airtouch_password(credentials.api_key)}


def panel_answer(status: int, body: Mapping[str, Any], text: str) -> SmsAccepted | Rejected | None:
    """Accepted, refused, or None where the answer says neither."""
    code, said = _code(body, "code"), read_words(GATEWAY, status, body or None, text)
    if code in PANEL_ACCEPTED or (said == "accepted" and code in ("", "100", "success")):
        return SmsAccepted(GATEWAY, message_id=None)
    return _refusal(PANEL_REFUSED, code, said)


def airtouch_answer(status: int, body: Mapping[str, Any], text: str) -> SmsAccepted | Rejected | None:
    """Accepted, refused, or None where the answer says neither."""
    code, said = _code(body, "status_code"), read_words(GATEWAY, status, body or None, text)
    if code == AIRTOUCH_ACCEPTED or (said == "accepted" and not code):
        return SmsAccepted(GATEWAY, message_id=clean(str(body.get("message_id") or ""), ID_LENGTH) or None)
    return _refusal(AIRTOUCH_REFUSED, code, said)


def _refusal(table: Mapping[str, Refusal], code: str, said: Literal["accepted"] | Rejected | None) -> Rejected | None:
    """By the code where it is known, else by the words; none where the two contradict each other."""
    if said == "accepted":
        return None
    return table[code].error_of(GATEWAY, code) if code in table else said


def _code(body: Mapping[str, Any], name: str) -> str:
    """The code, under its name in any case."""
    value = next((value for key, value in body.items() if str(key).strip().lower() == name), "")
    return clean(str(value), 40).lower() if isinstance(value, str | int) else ""


def shows_balance(body: Mapping[str, Any]) -> bool:
    """Both balance calls answer with a figure under a name that holds "balance"."""
    return any("balance" in str(key).lower() for key in body)
