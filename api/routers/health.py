"""Whether this process lives, whether it can work, and its numbers."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, Final, Literal

from fastapi import APIRouter, Response

from api.dependencies import House, Services
from api.metrics import CONTENT_TYPE
from api.schemas.system import Alive, Ready
from store import pulse

router = APIRouter(tags=["system"])

_PATIENCE: Final = timedelta(seconds=2)


@router.get("/health/live", summary="Does the process answer?")
async def live() -> Alive:
    return Alive()


@router.get(
    "/health/ready",
    summary="Can it work? Asks the database and Temporal",
    responses={503: {"model": Ready, "description": "Something is away"}},
)
async def ready(house: House, response: Response) -> Ready:
    database, temporal = await asyncio.gather(_state(_database(house)), _state(_temporal(house)))
    well = database == temporal == "ok"
    response.status_code = 200 if well else 503
    return Ready(status="ok" if well else "unavailable", database=database, temporal=temporal)


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"example": "kivuko_http_requests_total{…} 7.0"}}}},
)
async def metrics(house: House) -> Response:
    return Response(house.metrics.text(), media_type=CONTENT_TYPE)


async def _database(house: Services) -> None:
    async with house.database.transaction() as session:
        await pulse.beats(session)


async def _temporal(house: Services) -> None:
    if not await house.client.service_client.check_health(timeout=_PATIENCE):
        raise ConnectionError("Temporal says that it does not serve")


async def _state(question: Awaitable[Any]) -> Literal["ok", "unavailable"]:
    try:
        await asyncio.wait_for(question, _PATIENCE.total_seconds())
    except Exception:  # whatever it is, it is not ready
        return "unavailable"
    return "ok"
