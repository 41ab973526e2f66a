"""What both SMS gateways share: credentials and the sorting of refusals.

A gateway has no idempotency, so a message whose fate is unclear may arrive twice if it is sent again: only a *refusal*
is handed to the other gateway at once. Every refusal says so in `extra["failover"]`:

    "yes"   refused here for a reason of this gateway or of our account with it; the other one may take the message
    "no"    refused because of the receiver (bad number, blacklist, do-not-disturb); the other one would refuse it too
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

from core.errors import InsufficientFunds, InvalidRequest, KivukoError, NotAllowed, Rejected, Throttled


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


# Where gateways write what they have to say, wherever it stands; keys and texts are compared as letters and digits alone.
_SPEAKING: Final = frozenset(
    {"message", "error", "errors", "errormessage", "errordescription", "description", "status", "statusdesc", "statustext",
     "statusdescription", "detail", "details", "reason", "response", "msg", "title"}
)  # fmt: skip
_MAX_SAID: Final = 500
_MAX_PLACES: Final = 100
# Words that say no by themselves, whatever code stands beside them: the receiver's reasons first.
_NO: Final[tuple[tuple[tuple[str, ...], Refusal], ...]] = (
    (("invalidphone", "invalidnumber", "invalidmsisdn", "invalidmobile", "invalidrecipient", "invalidreceiver",
      "invaliddestination", "wrongphone", "wrongnumber", "wrongmobile"),
     Refusal("invalid phone number", failover=False, error=InvalidRequest)),
    (("blacklist", "optedout", "donotdisturb"), Refusal("the receiver wants no messages", failover=False)),
    (("insufficient", "lowbalance", "notenoughcredit", "notenoughbalance", "nocredit", "lowcredit"),
     Refusal("our balance with the gateway is too low", failover=True, error=InsufficientFunds)),
    (("invalidsender", "unknownsender", "wrongsender", "senderidnot", "sendernot", "unauthorizedsender"),
     Refusal("sender id problem", failover=True)),
    (("unauthorized", "unauthorised", "authenticationfailed", "authenticationisinvalid", "invalidauthentication",
      "authenticationerror", "invalidapikey", "invalidkey", "invalidcredential", "invaliduser", "invalidpassword",
      "invalidlogin", "invalidtoken", "wrongpassword", "accessdenied", "forbidden", "ipnotallowed", "accountsuspended",
      "accountinactive", "accountdisabled"),
     Refusal("our access is refused", failover=True, error=NotAllowed)),
)  # fmt: skip
# These say no only together with a status that says so too.
_NO_WITH_4XX: Final = ("invalid", "missing", "required", "notallowed", "notsent", "rejected", "badrequest", "unknown")
_YES: Final = frozenset({"ok", "success", "successful", "sent", "accepted", "queued"})


def read_words(gateway: str, status: int, body: Any, text: str) -> Literal["accepted"] | Rejected | None:
    """What an answer without a code that we know says of the message in words: taken, a known no, or None for neither.

    A 5xx and a page say nothing: a proxy makes them too. Where both are said, neither is believed.
    """
    if status >= 500:
        return None
    plain = text.strip()
    said = list(_said(body)) if isinstance(body, dict | list) else [plain]
    words = [_compact(one) for one in said if one and len(one) <= _MAX_SAID and not one.lstrip().startswith("<")]
    good = status < 300 and any(one in _YES or "successfullysen" in one for one in words)
    bad = next((refusal for signs, refusal in _NO if any(sign in one for one in words for sign in signs)), None)
    if bad is None and 400 <= status < 500 and any(sign in one for one in words for sign in _NO_WITH_4XX):
        bad = Refusal("it says that the request is wrong", failover=True)
    if good and bad is None:
        return "accepted"
    return bad.error_of(gateway, f"http_{status}") if bad is not None and not good else None


def _said(body: Any) -> Iterator[str]:
    """The texts under speaking keys, however deep, of the first hundred places."""
    waiting, seen = [("", body)], 0
    while waiting and seen < _MAX_PLACES:
        key, value = waiting.pop(0)
        seen += 1
        if isinstance(value, dict):
            waiting += [(str(name), inner) for name, inner in list(value.items())[:_MAX_PLACES]]
        elif isinstance(value, list):
            waiting += [(key, inner) for inner in value[:_MAX_PLACES]]
        elif isinstance(value, str) and _compact(key) in _SPEAKING:
            yield value


def _compact(text: str) -> str:
    return "".join(char for char in text.lower() if char.isascii() and char.isalnum())


def require_text(text: str) -> None:
    """Raises InvalidRequest for a message without content, which gateways bill or refuse as they please."""
    if not text.strip():
        raise InvalidRequest("The message is empty.", field="text", failover="no")
