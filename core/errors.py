"""Every error of ours, sorted by what the caller must do next.

    KivukoError(detail, code=…)
    ├─ Rejected    did not happen and will not   → undo, tell the caller
    │  ├─ InvalidRequest, InsufficientFunds, LimitExceeded, NotAllowed, NotFound, Conflict
    ├─ Transient   did not happen, may yet       → retry
    │  ├─ NotReached, Throttled(retry_after), NotYet(retry_after), Busy
    └─ Unknown     may have happened             → resolve, never undo
       ├─ NoAnswer, Garbled

Callers branch on the class or on `code`, never on `detail`. A detail is one plain sentence for people; it names no
phone number, no person and no secret, because it ends up in logs and in Temporal's history, and none of our calls'
names (`core/plain_words.py`), because people read it at the desk.
"""

from datetime import timedelta
from typing import ClassVar

from core.plain_words import in_plain_words


class KivukoError(Exception):
    """The root. `code` is a stable machine word, `detail` a sentence, `extra` small facts (a field, a provider's code)."""

    default_code: ClassVar[str] = "kivuko_error"

    def __init__(self, detail: str, *, code: str | None = None, **extra: str) -> None:
        self.detail = in_plain_words(detail)
        super().__init__(self.detail)
        self.code = code or self.default_code
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class Rejected(KivukoError):
    """It did not happen and will not happen as asked."""

    default_code = "rejected"


class InvalidRequest(Rejected):
    """The request breaks a rule; `extra["field"]` names the field where one is to blame."""

    default_code = "invalid_request"


class InsufficientFunds(Rejected):
    """An account would fall below its floor, or a provider's account holds too little."""

    default_code = "insufficient_funds"


class LimitExceeded(Rejected):
    """An amount or a count is above a set limit."""

    default_code = "limit_exceeded"


class NotAllowed(Rejected):
    """Credentials, permissions or an account's state forbid it."""

    default_code = "not_allowed"


class NotFound(Rejected):
    """The thing named does not exist, or not for this caller."""

    default_code = "not_found"


class Conflict(Rejected):
    """The same key was used with other content, or the state does not allow the step."""

    default_code = "conflict"


class Transient(KivukoError):
    """It did not happen, and trying again may succeed."""

    default_code = "transient"


class NotReached(Transient):
    """The request never left: name resolution, connection or TLS failed."""

    default_code = "not_reached"


class Throttled(Transient):
    """The other side asks us to slow down; `retry_after` is for how long, where it said so."""

    default_code = "throttled"

    def __init__(
        self, detail: str, *, retry_after: timedelta | None = None, code: str | None = None, **extra: str
    ) -> None:
        super().__init__(detail, code=code, **extra)
        self.retry_after = retry_after


class NotYet(Throttled):
    """The other side takes it later, by its own calendar; `retry_after` says when to look again."""

    default_code = "not_yet"


class Busy(Transient):
    """The other side is up but cannot take this now (locked loan, serialisation failure, maintenance)."""

    default_code = "busy"


class Unknown(KivukoError):
    """It may have happened. Find out; never undo and never repeat on the strength of this."""

    default_code = "unknown"


class NoAnswer(Unknown):
    """The request left and no usable answer came: read timeout, reset, any 5xx on a money-moving call."""

    default_code = "no_answer"


class Garbled(Unknown):
    """An answer came that cannot be read as the protocol's: proxy text, HTML, missing fields."""

    default_code = "garbled"
