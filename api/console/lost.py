"""Addresses under the console that are no page."""

from fastapi import Request, Response

from api.console.routing import console_router, refusal
from api.console.visitors import Seen
from core.errors import NotFound

router = console_router()


@router.get("/console/{rest:path}")
async def lost(request: Request, visitor: Seen) -> Response:
    return refusal(request, NotFound("There is nothing here."))
