"""Answers as Fineract spells them: numbers with six places, dates as arrays, nulls left out, its error envelope.

Facts: fineract.md 2 (conventions), 11 (error JSON).
"""

import json
import re
from datetime import date
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

from fastapi.responses import HTMLResponse, Response

from core.clock import utc_now

# A private-use character marks numbers until the JSON is text, since json cannot write a Decimal with its zeros.
_MARK: Final = "\ue000"
_MARKED: Final = re.compile(f'"{_MARK}(-?[0-9.]+)"')


def encode(body: Any) -> str:
    """JSON text: Decimal as `10000.000000`, date as `[2026,6,29]`, None members omitted."""
    return _MARKED.sub(r"\1", json.dumps(_wire(body), ensure_ascii=False, separators=(",", ":")))


def _wire(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _wire(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_wire(item) for item in value]
    if isinstance(value, Decimal):
        return f"{_MARK}{value:.6f}"
    if isinstance(value, date):
        return [value.year, value.month, value.day]
    return value


def reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return raw_reply(encode(body), status, headers)


def raw_reply(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(text, status, headers, media_type="application/json")


def html(status: int, title: str, headers: dict[str, str] | None = None) -> Response:
    """A page of the servlet container or of a proxy in front of it."""
    return HTMLResponse(f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>",
                        status, headers)  # fmt: skip


class Problem(Exception):
    """A refusal. `body` is the error JSON, or None where the servlet container answers before Fineract does."""

    def __init__(self, status: int, body: dict[str, Any] | None, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body if body is not None else container_error(status)
        self.headers = headers

    def response(self, path: str | None = None) -> Response:
        """`path` is what was asked for, which only the container's answers tell."""
        told = {"path": path} if path is not None and "path" in self.body else {}
        return reply(self.body | told, self.status, self.headers)


def container_error(status: int) -> dict[str, Any]:
    """What the container writes about 400 (no such tenant), 401, 415 and 500: not Fineract's envelope."""
    return {
        "timestamp": utc_now().isoformat(timespec="milliseconds"),
        "status": status,
        "error": HTTPStatus(status).phrase,
        "path": "/fineract-provider/api/v1",
    }


def _item(code: str, parameter: str = "id") -> dict[str, Any]:
    return {
        "developerMessage": f"Refused: {code}",
        "defaultUserMessage": f"Refused: {code}",
        "userMessageGlobalisationCode": code,
        "parameterName": parameter,
        "args": [],
    }


def problem(status: int, top: str, *items: dict[str, Any]) -> Problem:
    envelope: dict[str, Any] = {
        "developerMessage": f"Refused: {top}",
        "httpStatusCode": str(status),
        "defaultUserMessage": f"Refused: {top}",
        "userMessageGlobalisationCode": top,
    }
    return Problem(status, envelope | ({"errors": list(items)} if items else {}))


def invalid(*faults: tuple[str, str]) -> Problem:
    """400: pairs of code and field."""
    return problem(400, "validation.msg.validation.errors.exist", *(_item(code, field) for code, field in faults))


def rule(code: str) -> Problem:
    return problem(403, "validation.msg.domain.rule.violation", _item(code))


def not_found(code: str) -> Problem:
    return problem(404, "error.msg.resource.not.found", _item(code))


def data_integrity(code: str = "error.msg.data.integrity.issue", parameter: str = "id") -> Problem:
    return problem(403, code, _item(code, parameter))


def malformed_json() -> Problem:
    """A bare error item, not the envelope (fineract.md 11)."""
    return Problem(400, _item("error.msg.invalid.request.body"))


def server_error() -> Problem:
    return Problem(500, None)
