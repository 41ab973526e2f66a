"""Every error is a problem document (RFC 9457) with a stable code and, where one is to blame, the field and its rule."""

import math
import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from temporalio.service import RPCError

from api.http.field_words import sentence
from api.http.problem_words import WORDS
from core import errors
from core.errors import KivukoError
from core.ids import new_id

log = structlog.get_logger()

MEDIA_TYPE: Final = "application/problem+json"

# The first class that fits decides.
_STATUS: Final[tuple[tuple[type[KivukoError], int], ...]] = (
    (errors.InvalidRequest, 422),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.NotAllowed, 403),
    (errors.LimitExceeded, 422),
    (errors.InsufficientFunds, 409),
    (errors.Rejected, 422),
    (errors.Throttled, 429),
    (errors.Transient, 503),
    (errors.Unknown, 502),
)
_TITLES: Final[dict[int, str]] = {
    400: "The request cannot be read",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "No such form of an answer",
    408: "The body came too late",
    409: "Conflict",
    413: "The body is too large",
    415: "The body is of another media type",
    422: "The request breaks a rule",
    429: "Too many requests",
    500: "Internal error",
    502: "A provider's answer is unknown",
    503: "Temporarily unavailable",
}
_CODES: Final[dict[int, str]] = {
    400: "malformed_body", 401: "not_authenticated", 403: "not_allowed", 404: "not_found",
    405: "method_not_allowed", 406: "not_acceptable", 408: "body_too_late", 413: "body_too_large",
    415: "unsupported_media_type",
}  # fmt: skip


class FieldError(BaseModel):
    """One field that breaks a rule: `amount.currency`, `bands.0.fee`, `Idempotency-Key`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"field": "loan_id", "rule": "missing", "detail": "Give this field"}]}
    )

    field: str
    rule: str
    detail: str


class Problem(BaseModel):
    """RFC 9457. `code` is for machines and stays; `detail` is for people and may change."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "/problems/validation_failed",
                    "title": "The request breaks a rule",
                    "status": 422,
                    "detail": "1 field breaks a rule.",
                    "code": "validation_failed",
                    "errors": [{"field": "loan_id", "rule": "missing", "detail": "Give this field"}],
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = None
    errors: list[FieldError] = []
    facts: dict[str, str] = {}


# One that is typical of each status: code, detail, fields, facts. As callers meet them, word for word.
EXAMPLES: Final[dict[int, tuple[str, str, list[dict[str, str]], dict[str, str]]]] = {
    400: ("malformed_json", "The body is not JSON.", [], {}),
    401: ("not_authenticated", "Give an API key: Authorization: Bearer kvk_…", [], {}),
    403: ("scope_missing", "The key lacks the scope top-ups:write.", [], {"scope": "top-ups:write"}),
    404: ("not_found", "No partner has that id.",
          [{"field": "partner_id", "rule": "not_found", "detail": "No partner has that id."}], {}),
    406: ("not_acceptable", "It can be sent as application/json, text/csv, application/pdf.", [], {}),
    409: ("wrong_stage", "Money may have moved already; it cannot be cancelled.", [], {}),
    413: ("body_too_large", "A body may have 262144 bytes.", [], {}),
    415: ("unsupported_media_type", "Send JSON, with the content type application/json.", [], {}),
    422: ("validation_failed", "1 field breaks a rule.",
          [{"field": "amount.currency", "rule": "missing", "detail": "Give this field"}], {}),
    429: ("rate_limited", "This key asks too often.", [], {}),
    502: ("no_answer", "M-Pesa gave no answer to the payout; it may have been made.", [], {}),
    503: ("temporal_unavailable", "The workflow engine cannot be reached now.", [], {}),
}  # fmt: skip


def example(status: int) -> dict[str, Any]:
    """The body of a typical problem of this status."""
    code, detail, fields, facts = EXAMPLES[status]
    shown = Problem(
        type=f"/problems/{code}", title=_TITLES[status], status=status, detail=detail, code=code,
        errors=[FieldError.model_validate(field) for field in fields], facts=facts,
    )  # fmt: skip
    return shown.model_dump(exclude_none=True)


def example_of(code: str) -> dict[str, Any]:
    """The body of a problem with this code: word for word where the code is typical of its status, else with what it means
    as the detail. Raises KeyError for a code that no problem has."""
    words = WORDS[code]
    for status in words.statuses:
        if EXAMPLES.get(status, ("",))[0] == code:
            return example(status)
    status = words.statuses[0]
    shown = Problem(
        type=f"/problems/{code}", title=_TITLES[status], status=status, detail=words.means, code=code
    )  # fmt: skip
    return shown.model_dump(exclude_none=True)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    fields: Sequence[FieldError] = (),
    facts: Mapping[str, str] | None = None,
    instance: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response."""
    document = Problem(
        type=f"/problems/{code}",
        title=_TITLES.get(status, "Error"),
        status=status,
        detail=detail,
        code=code,
        instance=instance,
        errors=list(fields),
        facts=dict(facts or {}),
    )
    return JSONResponse(
        document.model_dump(exclude_none=True),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=dict(headers) if headers else None,
    )


def status_of(error: KivukoError) -> int:
    """The HTTP status of one of our errors."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def of_error(error: KivukoError) -> Response:
    """One of our errors as a problem; `extra["field"]` becomes the field to blame, the rest of `extra` the facts."""
    status = status_of(error)
    facts = {name: str(value) for name, value in error.extra.items() if name != "field"}
    fields = []
    if "field" in error.extra:
        fields = [FieldError(field=error.extra["field"], rule=error.code, detail=error.detail)]
    return problem(status, error.code, error.detail, fields=fields, facts=facts, headers=retry_after(error))


def retry_after(error: KivukoError) -> dict[str, str]:
    """The header that says when to try again, where that helps."""
    if isinstance(error, errors.Throttled):
        wait = error.retry_after.total_seconds() if error.retry_after else 1
        return {"Retry-After": str(max(1, math.ceil(wait)))}
    if status_of(error) == 503:
        return {"Retry-After": "2"}
    return {"Retry-After": "1"} if error.code == "request_running" else {}


def internal(error: BaseException) -> Response:
    """A bug: logged under an id that the caller gets, and nothing else of it is told. The log names the places and not
    the message, which may quote a request's data."""
    incident = new_id("inc")
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error("internal_error", incident=incident, kind=type(error).__name__, places=places[-8:])
    return problem(
        500, "internal_error", "This is a fault of ours; the id helps us to find it.", instance=f"/incidents/{incident}"
    )


def install(app: FastAPI) -> None:
    """Gives the application's every error its problem document."""

    async def kivuko_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, KivukoError)
        return of_error(error)

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _of_validation(error.errors())

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = _CODES.get(error.status_code, f"http_{error.status_code}")
        detail = str(error.detail) if error.detail else _TITLES.get(error.status_code, "Error")
        return problem(error.status_code, code, detail, headers=error.headers)

    async def database(request: Request, error: Exception) -> Response:
        log.error("database_unavailable", kind=type(error).__name__)
        return problem(503, "database_unavailable", "The database cannot be reached now.", headers={"Retry-After": "2"})

    async def temporal(request: Request, error: Exception) -> Response:
        assert isinstance(error, RPCError)
        log.error("temporal_unavailable", status=error.status.name)
        return problem(
            503, "temporal_unavailable", "The workflow engine cannot be reached now.", headers={"Retry-After": "2"}
        )

    async def driver(request: Request, error: Exception) -> Response:
        return await database(request, error) if _is_outage(error) else internal(error)

    app.add_exception_handler(KivukoError, kivuko_error)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(PoolTimeout, database)
    app.add_exception_handler(DBAPIError, driver)
    app.add_exception_handler(RPCError, temporal)


def _is_outage(error: Exception) -> bool:
    return isinstance(error, OperationalError | InterfaceError) or getattr(error, "connection_invalidated", False)


def _of_validation(found: Iterable[Mapping[str, Any]]) -> Response:
    fields: list[FieldError] = []
    for one in found:
        if one["type"] == "json_invalid":
            return problem(400, "malformed_json", "The body is not JSON.")
        where = one["loc"]
        if where == ("body",) and one["type"] in ("model_attributes_type", "dict_type") and _is_raw(one.get("input")):
            return problem(415, "unsupported_media_type", "Send JSON, with the content type application/json.")
        fields.append(
            FieldError(
                field=_name(where), rule=one["type"], detail=sentence(one["type"], one["msg"], one.get("ctx") or {})
            )
        )
    count = len(fields)
    detail = "1 field breaks a rule." if count == 1 else f"{count} fields break a rule."
    return problem(422, "validation_failed", detail, fields=fields)


def _name(where: Sequence[str | int]) -> str:
    """`body` as the first part says nothing that the caller does not know; alone it is all there is."""
    parts = [str(part) for part in where]
    return ".".join(parts[1:]) if len(parts) > 1 else parts[0]


def _is_raw(value: Any) -> bool:
    return isinstance(value, bytes)
