"""What Daraja's gateway answers at once, sorted into our errors (daraja.md 3.3, 3.9 and 4).

Money may have moved unless an answer *proves* that the gateway refused the request before M-Pesa saw it. Only the codes
listed here prove that, and only together with a status of their kind; all else is Unknown on a payout. On a read
(status, balance) the same doubt is Transient, since asking again harms nobody.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from core.errors import Busy, Garbled, InvalidRequest, KivukoError, NoAnswer, NotAllowed, Throttled, Transient, Unknown
from core.texts import clean
from providers.daraja.fields import Fields, text_of
from providers.facts import ID_LENGTH
from providers.held import held

TOKEN_ERRORS: Final = frozenset({"404.001.03", "401.002.01", "400.003.01"})

_REFUSED = re.compile(r"400\.002\.[0-9]{1,6}|400\.003\.02|404\.001\.04|405\.001")
_NO_SUCH_PATH = re.compile(r"404\.00[123]\.01")
_RATE_CODES: Final = frozenset({"500.003.02", "500.003.03"})
_RATE_FAULTS: Final = ("spikearrest", "quotaviolation")
_LONG_NUMBER = re.compile(r"\d{7,}")


@dataclass(frozen=True, slots=True)
class Ack:
    """The request is queued. `conversation_id` is M-Pesa's; `originator_id` is ours on v3 and Daraja's own on v1."""

    conversation_id: str
    originator_id: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error answer, whichever of the six shapes it had. Both parts are empty if it had none of them."""

    code: str = ""
    message: str = ""
    is_fault: bool = False  # Apigee's own fault, not Daraja's JSON


def parse_ack(body: object) -> Ack:
    """Reads a 200. Raises Garbled without ResponseCode "0" and a ConversationID (daraja.md 3.3): that is no refusal."""
    fields = Fields(body)
    code = fields.text("ResponseCode")
    conversation, originator = (
        clean(fields.text(key), ID_LENGTH) for key in ("ConversationID", "OriginatorConversationID")
    )
    if fields.text("errorCode") or code != "0" or not conversation:
        raise Garbled("Daraja answered 200 without a valid acknowledgement.", response_code=clean(code, 20))
    return Ack(conversation, originator)


def read_complaint(body: object) -> Complaint:
    """The code and the text of an error body; long digit runs (phone numbers) are cut out of the text."""
    fields = Fields(body)
    if fields.get("errorCode") is not None:
        return Complaint(clean(fields.text("errorCode"), 80), _plain(fields.get("errorMessage")))
    if fault := fields.within("fault"):
        code = clean(fault.within("detail").text("errorcode"), 80)
        return Complaint(code, _plain(fault.get("faultstring")), is_fault=True)
    return Complaint()


def is_token_error(status: int, body: object) -> bool:
    """One of the three dialects of "this token is no good": refused before M-Pesa saw the request (daraja.md 1)."""
    return 400 <= status < 500 and read_complaint(body).code in TOKEN_ERRORS


def error_of(
    operation: str,
    status: int,
    body: object,
    headers: Mapping[str, str],
    *,
    effect: Literal["read", "money"],
    same_reference_is_safe: bool,
    empty: bool = False,
) -> KivukoError:
    """The error for an answer that is no acknowledgement. `body` is the decoded JSON, None for HTML or text, and `empty`
    says that there was none at all.

    `same_reference_is_safe` is B2C v3: a spike arrest told by a 5xx, and an empty 404, may be resent under the same
    reference there. What forbids us the call is NotAllowed on a read, and held back where money was to move.
    """
    complaint = read_complaint(body)
    facts = {"http_status": str(status), "provider_code": complaint.code, "operation": operation}
    said = f"Daraja answered {operation} with HTTP {status}"
    said += f" ({complaint.code} {complaint.message}).".replace(" )", ")") if complaint.code else "."

    harmless = effect == "read" or same_reference_is_safe or 400 <= status < 500
    if status >= 400 and harmless and _is_rate_limit(status, complaint):
        # Told by the gateway, so probably not queued; v3 makes a resend under the same reference safe (daraja.md 3.9).
        return Throttled(said, retry_after=_retry_after(headers), **facts)
    if 400 <= status < 500:
        if complaint.code in TOKEN_ERRORS:
            # Not sent, and worth another try: another process may have minted a newer token a moment ago.
            return Busy(f"{said} A fresh access token was refused too.", code="token_refused", **facts)
        if status == 403 and complaint.code == "403.002.1001":
            refused = f"{said} The app is not entitled to this version of B2C, or our address is not whitelisted."
            return _forbidden(refused, "not_entitled", effect, facts)
        if status == 401 and complaint.is_fault and "apiproduct" in f"{complaint.code} {complaint.message}".lower():
            return _forbidden(f"{said} The product is not enabled on the app.", "not_entitled", effect, facts)
        nothing_there = empty and status == 404 and (effect == "read" or same_reference_is_safe)
        if nothing_there or _NO_SUCH_PATH.fullmatch(complaint.code):
            return _forbidden(f"{said} Daraja is not at this address.", "wrong_address", effect, facts)
        if _REFUSED.fullmatch(complaint.code):
            return InvalidRequest(said, code="refused_by_gateway", **facts)
    if effect == "read":
        return Transient(said, code="no_usable_answer", **facts)
    if complaint.code == "500.002.1001":
        # A duplicate reference, or "System internal error.": both leave the first send's outcome open (fact 3).
        return Unknown(said, code="maybe_duplicate", **facts)
    if isinstance(body, dict) and status >= 500:
        return NoAnswer(said, **facts)
    return Garbled(f"{said} It is not an answer of the protocol.", **facts)


def error_of_token(status: int, body: object, empty: bool, headers: Mapping[str, str]) -> KivukoError:
    """The error for a refused token: no payout has left yet, so it is NotAllowed, Throttled or Transient (daraja.md 1).

    The body for a wrong key is documented nowhere; a proxy's HTML says nothing about our key.
    """
    if status == 429:
        return Throttled("Daraja throttles token requests.", retry_after=_retry_after(headers))
    if status == 404 and empty:
        return NotAllowed("Daraja is not at this address.", code="wrong_address", http_status=str(status))
    if status in (400, 401, 403) and (empty or isinstance(body, dict)):
        return NotAllowed("Daraja refuses the consumer key or secret.", code="bad_credentials", http_status=str(status))
    return Transient(f"Daraja gave no access token (HTTP {status}).", code="no_token", http_status=str(status))


def _forbidden(detail: str, code: str, effect: Literal["read", "money"], facts: Mapping[str, str]) -> KivukoError:
    refused = NotAllowed(detail, code=code, **facts)
    return held(refused) if effect == "money" else refused


def _is_rate_limit(status: int, complaint: Complaint) -> bool:
    fault = complaint.code.lower()
    return (
        status == 429
        or complaint.code in _RATE_CODES
        or (complaint.is_fault and any(word in fault for word in _RATE_FAULTS))
    )


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    value = headers.get("retry-after", "")
    return timedelta(seconds=int(value)) if value.isdecimal() and len(value) < 6 else None


def _plain(value: object) -> str:
    return _LONG_NUMBER.sub("…", clean(text_of(value), 160))
