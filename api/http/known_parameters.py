"""Refuses query parameters that an endpoint does not know: a misspelt filter would silently show everything."""

from fastapi import Depends, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import Query
from fastapi.routing import APIRoute


async def only_known_parameters(request: Request) -> None:
    """A dependency of every versioned router; 422 names what is unknown."""
    if not request.query_params:
        return
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    unknown = sorted(set(request.query_params) - _known(route))
    if unknown:
        raise RequestValidationError(
            [
                # The name is the caller's own text: enough of it to be recognised.
                {"type": "extra_forbidden", "loc": ("query", name[:60]), "msg": "There is no such parameter here"}
                for name in unknown[:20]
            ]
        )


def _known(route: APIRoute) -> frozenset[str]:
    """Those that its endpoint and what that depends on declare. Not read from the OpenAPI document, which takes a second to
    make."""
    return frozenset(one.alias for one in get_flat_params(route.dependant) if isinstance(one.field_info, Query))


KNOWN_PARAMETERS = [Depends(only_known_parameters)]
