"""What a Daraja callback becomes: a report on the payment whose address it came to."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from core.crypto import CallbackRoute, sha256_hex
from core.errors import Garbled
from models.messages.collections import PromptReport
from models.messages.payouts import PayoutReport, ReportSource
from providers.collecting import AskResult, AskState
from providers.daraja.wire import (
    external_id,
    parse_result,
    parse_status_result,
    parse_stk_callback,
    parse_timeout_notice,
    scrub,
)
from providers.ports import PayoutResult, PayoutState

Kind = Literal["out", "out-late", "ask"]


@dataclass(frozen=True, slots=True)
class KindOfCallback:
    """`name` is the inbox's word for it (daraja.md 3.4, 3.6, 7)."""

    name: Literal["result", "timeout", "status"]
    source: ReportSource
    parse: Callable[[object], PayoutResult]


KINDS: Final[dict[Kind, KindOfCallback]] = {
    "out": KindOfCallback("result", "callback", parse_result),
    "out-late": KindOfCallback("timeout", "timeout_notice", parse_timeout_notice),
    "ask": KindOfCallback("status", "status", parse_status_result),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A body that can be stored, its id, and what it says."""

    external_id: str
    body: Any
    result: PayoutResult
    garbled: bool


def read(kind: Kind, route: CallbackRoute, raw: bytes) -> Reading:
    """Never fails: what cannot be understood came from somebody who has the address, and is kept as `unclear`.

    The id begins with our reference, so that two payments whose notices carry no id of their own stay two.
    """
    what = KINDS[kind]
    body = decode(raw)
    try:
        result, garbled = what.parse(body), False
        identity = external_id(what.name, body)
    except (Garbled, RecursionError):
        detail = "the callback cannot be read"
        result, garbled = PayoutResult(PayoutState.unclear, "garbled", detail), True
        identity = f"{what.name}:garbled:{sha256_hex(raw)[:32]}"
    return Reading(f"{route.reference}:{identity}", scrub(body), result, garbled)


def report_of(kind: Kind, route: CallbackRoute, result: PayoutResult, *, b2c_version: str | None) -> PayoutReport:
    """The report for the reference of the address; the body never chooses whom it speaks of.

    A v3 result names our reference. If it names another, it is kept but believed in nothing: the saga asks for the
    status. On v1 the name is Daraja's own, and a status answer speaks of the reference that was asked for.
    """
    if kind == "out" and b2c_version == "v3" and result.reference not in (None, route.reference):
        result = replace(
            result, state=PayoutState.unclear, code="reference_differs", receipt=None, retriable=False,
            detail="the result names another payment than its address",
        )  # fmt: skip
    return PayoutReport.of(result, route.reference, KINDS[kind].source)


def read_prompt_answer(route: CallbackRoute, raw: bytes) -> tuple[str, Any, PromptReport]:
    """The inbox's id, the body fit to keep, and the report on the prompt whose address it came to. What cannot be
    understood came from somebody who has the address, and is kept as `unclear`."""
    body = decode(raw)
    try:
        result = parse_stk_callback(body)
        identity = external_id("asked", body)
    except (Garbled, RecursionError):
        result = AskResult(AskState.unclear, "garbled", "the callback cannot be read")
        identity = f"asked:garbled:{sha256_hex(raw)[:32]}"
    report = PromptReport.of(result, route.reference, "callback")
    return f"{route.reference}:{identity}", scrub(body), report


def decode(raw: bytes) -> Any:
    """The JSON value, or `{"unreadable": …}` with the beginning of the text; without what PostgreSQL cannot keep."""
    try:
        return _storable(json.loads(raw))
    except (ValueError, RecursionError):
        return {"unreadable": _text(raw.decode("utf-8", errors="replace"))[:2000]}


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(str(key)): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON as Python reads it knows NaN and Infinity, PostgreSQL's does not
    return value


def _text(text: str) -> str:
    """Without NUL and lone surrogates, which neither JSONB nor UTF-8 can hold."""
    return text.replace("\0", "").encode("utf-8", errors="replace").decode("utf-8")
