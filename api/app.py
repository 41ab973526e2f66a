"""The front door, put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from temporalio.client import Client

from api.http import idempotency, openapi, problems
from api.http.auth import ensure_bootstrap_key
from api.http.bounded_requests import BoundedRequests
from api.http.dependencies import Services, put_services
from api.http.metrics import Metrics
from api.http.request_middleware import RequestMiddleware
from api.http.temporal_reach import connect_when_needed
from api.routers import find_routers
from core.settings import Settings
from store.database import Database

_ROUTERS: Final = find_routers()
_DOCUMENT: Final[dict[str, Any]] = {}  # of them, once it was asked for


def create_app(settings: Settings, *, database: Database | None = None, client: Client | None = None) -> FastAPI:
    """The application. What is not given is opened when it starts and closed when it stops; Temporal is connected to at
    the first call, so that callbacks are taken even while it is away."""
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            pool = database or Database.of(settings)
            if database is None:
                stack.push_async_callback(pool.close)
            temporal = client or await connect_when_needed(settings)
            put_services(app, Services.build(settings, pool, temporal, metrics))
            if settings.metrics.port is not None:
                stack.callback(metrics.serve(settings.metrics.host, settings.metrics.port))
            if settings.security.bootstrap_admin_key is not None:
                await ensure_bootstrap_key(pool, settings.security.bootstrap_admin_key.get_secret_value())
            yield

    app = FastAPI(
        title="Kivuko",
        version="0.1.0",
        summary="Durable mobile-money payment sagas",
        description=(
            "Every payment is a saga that survives crashes, waits for callbacks and people, and never pays twice. Money "
            'is exact text: `{"amount": "1250.00", "currency": "KES"}`. Errors are problem documents (RFC 9457).'
        ),
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
        # Pages of our own show the document (`api/documentation`), which is made at their first request.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # A redirect to the address with a slash would be built from what the caller says our host is.
        redirect_slashes=False,
    )
    problems.install(app)
    idempotency.install(app)
    app.router.routes.extend(_pages())
    openapi.install(app, _DOCUMENT)
    app.add_middleware(BoundedRequests)
    app.add_middleware(
        RequestMiddleware,
        metrics=metrics,
        max_body_bytes=settings.api.max_body_bytes,
        body_seconds=settings.api.body_seconds,
        https_only=settings.environment == "production",
    )
    return app


@cache
def _pages() -> tuple[BaseRoute, ...]:
    """What every application of this process serves. FastAPI works an included route out at the first request that passes by
    it, which takes a quarter of a second for all of them: once, and not once for each application."""
    pages = APIRouter(generate_unique_id_function=_operation_id)
    for router in _ROUTERS:
        pages.include_router(router)
    return tuple(pages.routes)


def _operation_id(route: APIRoute) -> str:
    return route.name
