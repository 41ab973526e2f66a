"""One web application with every simulator, their shared faults and the books of what really happened.

/daraja/…           Safaricom M-Pesa             simulators/daraja
/fineract/…         Apache Fineract              simulators/fineract
/bank/…             NCBA, the reference bank     simulators/bank
/damza/…            Damza SMS                    simulators/damza
/africastalking/…   Africa's Talking SMS         simulators/africastalking
/openid/…           an identity provider         simulators/openid
(port)              SMTP                         simulators/smtp
/books/payouts, /books/loans, /books/messages    what really happened, whatever was answered
/faults             what goes wrong next         simulators/faults.py
"""

import pkgutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, FastAPI, HTTPException

import simulators
from simulators.books import books_routes
from simulators.documents import Documents
from simulators.faults import FaultBook, FaultScript
from simulators.smtp.sink import MailSink
from simulators.world import World


def create_simulators(
    *, data_file: Path | None = None, seed: int = 1, smtp_host: str = "127.0.0.1", smtp_port: int | None = None
) -> FastAPI:
    """The application. `data_file` keeps the world between runs; `smtp_port` starts the mail sink with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        sink = MailSink(world, smtp_host, smtp_port) if smtp_port else None
        if sink:
            sink.start()
        try:
            yield
        finally:
            if sink:
                sink.stop()
            await world.close()

    world = World(documents=Documents(data_file), faults=FaultBook(seed))
    app = FastAPI(title="Kivuko simulators", lifespan=lifespan)
    app.state.world = world
    for name, routes in _simulators():
        app.include_router(routes(world), prefix=f"/{name}", tags=[name])
    app.include_router(books_routes(world), prefix="/books", tags=["books"])

    @app.get("/faults")
    async def show_faults() -> dict[str, object]:
        faults = world.faults
        return {"faults": faults.faults, "rates": faults.rates, "dealt": faults.dealt, "known": faults.known}

    @app.post("/faults", status_code=201)
    async def script_faults(script: FaultScript) -> dict[str, object]:
        try:
            world.faults.add(script)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        return await show_faults()

    @app.delete("/faults", status_code=204)
    async def clear_faults() -> None:
        world.faults.clear()

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _simulators() -> Iterator[tuple[str, Callable[[World], APIRouter]]]:
    """Every folder beside this file that has a `routes.py`, by name: a new simulator is listed nowhere."""
    for folder in pkgutil.iter_modules(simulators.__path__):
        module = f"{simulators.__name__}.{folder.name}.routes"
        if folder.ispkg and find_spec(module) is not None:
            yield folder.name, import_module(module).routes
