"""Whether this process lives, whether it can work, and its numbers."""

import asyncio
import secrets
from collections.abc import Awaitable
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.http.auth import authenticate
from api.http.dependencies import Services, ServicesDep
from api.http.metrics import CONTENT_TYPE
from api.http.openapi import open_problems
from api.operations.health_schemas import Alive, Ready
from core.errors import NotAllowed, NotFound
from store import pulse

router = APIRouter(tags=["system"])

_PATIENCE: Final = timedelta(seconds=2)
_optional_key = HTTPBearer(scheme_name="ApiKey", auto_error=False)


@router.get("/health/live", summary="Does the process answer?")
async def live() -> Alive:
    return Alive()


@router.get(
    "/health/ready",
    summary="Can it work? It can while it has its database",
    responses={503: {"model": Ready, "description": "The database is away"}},
)
async def ready(services: ServicesDep, response: Response) -> Ready:
    """Temporal's state is told and turns nothing red: storing a callback, and a start, needs the database alone, and what
    Temporal missed is delivered once it is back. A proxy that dropped every process would lose callbacks for good."""
    database, temporal = await asyncio.gather(_state(_database(services)), _state(_temporal(services)))
    response.status_code = 200 if database == "ok" else 503
    return Ready(status=database, database=database, temporal=temporal)


_NUMBERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/plain": {"example": "kivuko_http_requests_total{…} 7.0"}}}
}


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses=_NUMBERS | open_problems(401, 403, 404, 429, 503),
)
async def metrics(
    request: Request,
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_optional_key)],
) -> Response:
    """With the installation's metrics token or an admin key; without either on a developer's machine. Not here at all if
    metrics have a port of their own."""
    await _may_measure(request, services, credentials)
    return Response(services.metrics.text(), media_type=CONTENT_TYPE)


async def _may_measure(request: Request, services: Services, credentials: HTTPAuthorizationCredentials | None) -> None:
    ours = services.settings.metrics
    if ours.port is not None:
        raise NotFound("Metrics are served at a port of their own.")
    if services.settings.environment != "production" and ours.token is None:
        return
    if ours.token is not None and credentials is not None:
        given, token = credentials.credentials.encode(errors="replace"), ours.token.get_secret_value().encode()
        if secrets.compare_digest(given, token):
            return
    if not (await authenticate(request, services, credentials)).is_admin:
        raise NotAllowed("The key lacks the scope admin.", code="scope_missing", scope="admin")


async def _database(services: Services) -> None:
    async with services.database.transaction() as session:
        await pulse.beats(session)


async def _temporal(services: Services) -> None:
    if not await services.client.service_client.check_health(timeout=_PATIENCE):
        raise ConnectionError("Temporal says that it does not serve")


async def _state(question: Awaitable[Any]) -> Literal["ok", "unavailable"]:
    try:
        await asyncio.wait_for(question, _PATIENCE.total_seconds())
    except Exception:  # whatever it is, it is not ready
        return "unavailable"
    return "ok"
