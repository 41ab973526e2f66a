"""The front door, put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute
from temporalio.client import Client

from api import documented, idempotency, pages, problems
from api.auth import ensure_bootstrap_key
from api.bounded_requests import BoundedRequests
from api.dependencies import Services, put_services
from api.front_door import FrontDoor
from api.metrics import Metrics
from api.reach import connect_when_needed
from api.routers import (
    addresses,
    announcements,
    callbacks,
    cases,
    claims,
    codec,
    collections,
    connections,
    delivery_reports,
    disbursements,
    exchanges,
    float_codes,
    float_purchases,
    health,
    hooks,
    inbox,
    keys,
    loan_products,
    partners,
    people,
    proposals,
    reports,
    tariffs,
    top_ups,
    unknown_outcomes,
    vetted_addresses,
    wallets,
)
from core.settings import Settings
from store.database import Database

# Fixed paths of hooks and delivery reports go before the callbacks' open ones.
_ROUTERS = (
    partners, addresses, connections, vetted_addresses, claims, loan_products, wallets, disbursements,
    top_ups, float_purchases, float_codes,
    collections, cases, inbox, unknown_outcomes, exchanges, tariffs, keys, people, proposals, reports, hooks,
    announcements, delivery_reports, callbacks, codec, health,
)  # fmt: skip


def create_app(settings: Settings, *, database: Database | None = None, client: Client | None = None) -> FastAPI:
    """The application. What is not given is opened when it starts and closed when it stops; Temporal is connected to at
    the first call, so that callbacks are taken even while it is away."""
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            pool = database or Database(
                settings.database.url,
                pool_size=settings.database.pool_size,
                statement_timeout_ms=settings.database.statement_timeout_ms,
            )
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
        docs_url=None,
        redoc_url=None,
        # A redirect to the address with a slash would be built from what the caller says our host is.
        redirect_slashes=False,
    )
    problems.install(app)
    idempotency.install(app)
    for module in _ROUTERS:
        app.include_router(module.router)
    app.include_router(pages.router)
    documented.install(app)
    app.add_middleware(BoundedRequests)
    app.add_middleware(
        FrontDoor,
        metrics=metrics,
        max_body_bytes=settings.api.max_body_bytes,
        body_seconds=settings.api.body_seconds,
        https_only=settings.environment == "production",
    )
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
