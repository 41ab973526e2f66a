"""Africa's Talking in its own spelling (sms_email.md 2): the form, the codes, the delivery report."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from core.errors import InsufficientFunds, InvalidRequest, Rejected
from core.msisdn import Msisdn
from core.texts import clean
from providers.facts import ID_LENGTH
from providers.ports import SmsAccepted
from providers.sms import Refusal, SmsCredentials, read_words

GATEWAY: Final = "africastalking"

SEND_PATH: Final = "/version1/messaging"
USER_PATH: Final = "/version1/user"

ACCEPTED: Final = frozenset({"100", "101", "102"})  # processed, sent, queued
REFUSED: Final[dict[str, Refusal]] = {
    "401": Refusal("RiskHold", failover=False),
    "402": Refusal("InvalidSenderId", failover=True),
    "403": Refusal("InvalidPhoneNumber", failover=False, error=InvalidRequest),
    "404": Refusal("UnsupportedNumberType", failover=True),
    "405": Refusal("InsufficientBalance", failover=True, error=InsufficientFunds),
    "406": Refusal("UserInBlacklist", failover=False),
    "407": Refusal("CouldNotRoute", failover=True),
    "409": Refusal("DoNotDisturbRejection", failover=False),
    "500": Refusal("InternalServerError", failover=True),
    "501": Refusal("GatewayError", failover=True),
    "502": Refusal("RejectedByGateway", failover=True),
}
NO_RECIPIENTS: Final = Refusal("no recipient was taken", failover=True)

# The last two are of newer documents and not confirmed.
_FAILED: Final = frozenset({"Failed", "Rejected", "AbsentSubscriber", "Expired"})
# Reasons that lie with this gateway or its route. The others lie with the receiver: blacklisted, asked for quiet, no
# such number, suspended, switched off. A word that is in no list is not cured either: it may be one of those.
_CURABLE: Final = frozenset({"DeliveryFailure", "NotNetworkSubcriber", "InvalidLinkId", "Failed", "Rejected"})
_REASON: Final = re.compile(r"[A-Za-z]{1,64}")
_MESSAGE_ID: Final = re.compile(r"[\w.-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What became of a message. `reason` is the gateway's word ("UserIsInactive"), for `failed` alone; `curable` says
    that another gateway may deliver it."""

    message_id: str
    state: Literal["progress", "delivered", "failed"]
    reason: str | None
    curable: bool = False


def send_form(credentials: SmsCredentials, to: Msisdn, text: str) -> dict[str, str]:
    """The form of one message. It has no room for an id of ours: keep our id → message id."""
    form = {"username": credentials.username, "to": to.e164, "message": text, "bulkSMSMode": "1"}
    if credentials.sender_id:
        form["from"] = credentials.sender_id
    return form


def send_answer(status: int, body: Mapping[str, Any], text: str) -> SmsAccepted | Rejected | None:
    """Accepted, refused, or None where the answer says neither. Expects one recipient, as `send_form` asks for one."""
    if status == 409:
        return REFUSED["409"].error_of(GATEWAY, "409")
    words = read_words(GATEWAY, status, body or None, text)
    refused = words if isinstance(words, Rejected) else None
    if status == 400:
        return refused or Refusal("the request is malformed", failover=True).error_of(GATEWAY, "http_400")
    data = body.get("SMSMessageData")
    recipients = data.get("Recipients") if isinstance(data, Mapping) else None
    if not isinstance(recipients, list) or not 200 <= status < 300:
        return refused
    if not recipients:
        # The reason stands in "Message" alone ("InvalidSenderId", "InsufficientBalance"), as free text.
        return refused or NO_RECIPIENTS.error_of(GATEWAY, "no_recipients")
    first = recipients[0] if isinstance(recipients[0], Mapping) else {}
    code = clean(str(first.get("statusCode", "")), 40)
    if code in ACCEPTED:
        message_id = clean(str(first.get("messageId") or "None"), ID_LENGTH)
        cost = clean(str(first.get("cost") or ""), 40)
        return SmsAccepted(GATEWAY, None if message_id == "None" else message_id, cost or None)
    known = REFUSED.get(code)
    return known.error_of(GATEWAY, code) if known else refused


def parse_delivery_report(form: Mapping[str, str]) -> DeliveryReport:
    """A posted delivery report. It is unsigned, so believe it for the state of an SMS and for nothing else.

    A status that we do not know counts as progress, since only three are final. Raises InvalidRequest without a usable
    `id` or `status`. A reason that is not a plain word is dropped: it could hold anything.
    """
    message_id, status = form.get("id", ""), form.get("status", "")
    if not _MESSAGE_ID.fullmatch(message_id) or not status:
        raise InvalidRequest("The delivery report lacks an id or a status.", field="id")
    if status == "Success":
        return DeliveryReport(message_id, "delivered", None)
    if status not in _FAILED:
        return DeliveryReport(message_id, "progress", None)
    reason = form.get("failureReason") or status
    word = reason if _REASON.fullmatch(reason) else status
    return DeliveryReport(message_id, "failed", word, curable=word in _CURABLE)
