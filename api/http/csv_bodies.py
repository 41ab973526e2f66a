"""Bodies that are files: taken as `text/csv`, refused with every mistake named by its line."""

from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from core.csv_files import BadFile

CSV: Final = "text/csv"


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def csv_body(request: Request) -> bytes:
    """The body as it came. 415 for any other media type."""
    if media_type(request) != CSV:
        raise HTTPException(415, "Send the file as text/csv.")
    return await request.body()


def as_problem(error: BadFile) -> RequestValidationError:
    """The file's mistakes as fields: `line 7.decision`."""
    return RequestValidationError(
        [{"type": one.rule, "loc": ("body", one.field), "msg": one.detail} for one in error.mistakes]
    )


def takes(**contents: dict[str, Any]) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads its body itself: the content by media type, with `_` for `/`."""
    content = {name.replace("_", "/"): said for name, said in contents.items()}
    return {"requestBody": {"required": True, "content": content}}


def csv_file(example: str) -> dict[str, Any]:
    return {"schema": {"type": "string", "contentMediaType": CSV}, "example": example}
