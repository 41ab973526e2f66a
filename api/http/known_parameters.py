"""Refuses query parameters that an endpoint does not know: a misspelt filter would silently show everything."""

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute


async def only_known_parameters(request: Request) -> None:
    """A dependency of every versioned router; 422 names what is unknown. Known is what the OpenAPI document says."""
    if not request.query_params:
        return
    app, route = request.app, request.scope["route"]
    assert isinstance(app, FastAPI)
    assert isinstance(route, APIRoute)
    operation = app.openapi()["paths"][route.path][request.method.lower()]
    known = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise RequestValidationError(
            [
                # The name is the caller's own text: enough of it to be recognised.
                {"type": "extra_forbidden", "loc": ("query", name[:60]), "msg": "There is no such parameter here"}
                for name in unknown[:20]
            ]
        )


KNOWN_PARAMETERS = [Depends(only_known_parameters)]
