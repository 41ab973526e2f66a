"""One web application with every simulator, their shared faults and the books of what really happened.

/daraja/…           Safaricom M-Pesa             simulators/daraja
/fineract/…         Apache Fineract              simulators/fineract
/bank/…             NCBA, the reference bank     simulators/bank
/damza/…            Damza SMS                    simulators/damza
/africastalking/…   Africa's Talking SMS         simulators/africastalking
(port)              SMTP                         simulators/smtp
/books/payouts, /books/loans, /books/messages    what really happened, whatever was answered
/faults             what goes wrong next         simulators/faults.py
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException

from simulators.africastalking.routes import africastalking_routes
from simulators.bank.routes import bank_routes
from simulators.books import books_routes
from simulators.damza.routes import damza_routes
from simulators.daraja.routes import daraja_routes
from simulators.documents import Documents
from simulators.faults import FaultBook, FaultScript
from simulators.fineract.routes import fineract_routes
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
    app.include_router(daraja_routes(world), prefix="/daraja", tags=["daraja"])
    app.include_router(fineract_routes(world), prefix="/fineract", tags=["fineract"])
    app.include_router(bank_routes(world), prefix="/bank", tags=["bank"])
    app.include_router(damza_routes(world), prefix="/damza", tags=["damza"])
    app.include_router(africastalking_routes(world), prefix="/africastalking", tags=["africastalking"])
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
