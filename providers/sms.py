"""What both SMS gateways share: credentials, the count of segments, and the sorting of refusals.

A gateway has no idempotency, so a message whose fate is unclear may arrive twice if it is sent again: only a *refusal*
is handed to the other gateway at once. Every refusal says so in `extra["failover"]`:

    "yes"   refused here for a reason of this gateway or of our account with it; the other one may take the message
    "no"    refused because of the receiver (bad number, blacklist, do-not-disturb); the other one would refuse it too
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

from core.errors import InvalidRequest, KivukoError, NotAllowed, Rejected, Throttled

# GSM 03.38, the basic table (without the escape) and the extension table, whose members take two septets.
_GSM_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION: Final = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True, slots=True)
class SmsCredentials:
    """An account with a gateway. `dialect` matters for Damza alone: which of its two documented shapes it speaks."""

    username: str
    api_key: str = field(repr=False)
    sender_id: str
    dialect: Literal["panel", "airtouch", ""] = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The meaning of one refusal code of a gateway."""

    words: str
    failover: bool
    error: type[Rejected] = Rejected

    def error_of(self, gateway: str, provider_code: str) -> Rejected:
        """The error to raise; its code is `sms_refused` unless its class says more (`insufficient_funds`)."""
        return self.error(
            f"{gateway} refused the message: {self.words}.",
            code="sms_refused" if self.error is Rejected else None,
            failover="yes" if self.failover else "no",
            gateway=gateway,
            provider_code=provider_code,
        )


def refused_by_status(gateway: str, status: int, headers: Mapping[str, str]) -> KivukoError | None:
    """The error of an HTTP status that says by itself that the message was not taken, else None.

    429 is "later", 401 and 403 are "not you". Other statuses say nothing about the message: a proxy makes them too.
    """
    if status == 429:
        seconds = headers.get("retry-after", "")
        return Throttled(
            f"{gateway} asks us to slow down.",
            retry_after=timedelta(seconds=int(seconds)) if seconds.isdecimal() and len(seconds) < 6 else None,
            gateway=gateway,
        )
    if status in (401, 403):
        return NotAllowed(
            f"{gateway} refused our credentials.", failover="yes", gateway=gateway, provider_code=f"http_{status}"
        )
    return None


def require_text(text: str) -> None:
    """Raises InvalidRequest for a message without content, which gateways bill or refuse as they please."""
    if not text.strip():
        raise InvalidRequest("The message is empty.", field="text", failover="no")


def segments(text: str) -> int:
    """How many SMS the text is billed as (sms_email.md 3).

    GSM-7 holds 160 septets in a lone message and 153 in each part of a long one; a text with any other character is
    sent as UCS-2, which holds 70 and 67 UTF-16 units. A character that takes two is not cut in two.
    """
    if all(char in _GSM_BASIC or char in _GSM_EXTENSION for char in text):
        return _parts([2 if char in _GSM_EXTENSION else 1 for char in text], alone=160, each=153)
    return _parts([2 if ord(char) > 0xFFFF else 1 for char in text], alone=70, each=67)


def _parts(widths: list[int], *, alone: int, each: int) -> int:
    if sum(widths) <= alone:
        return 1
    parts, used = 1, 0
    for width in widths:
        if used + width > each:
            parts, used = parts + 1, 0
        used += width
    return parts
