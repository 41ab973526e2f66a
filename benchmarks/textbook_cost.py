"""What the textbook's disbursement costs, on the same servers and simulators in the same run."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Final

import httpx

from benchmarks import textbook
from benchmarks.costs import Cost, cost_of
from benchmarks.stack import IN_FLIGHT, Bench, rate
from cli.demo.lender import AUTHORISED_PHONE
from cli.local.ports import free_port
from core.crypto import CredentialBox
from models.messages.connections.daraja import DarajaSecrets, DarajaSettings
from models.messages.connections.fineract import FineractSecrets, FineractSettings
from providers.daraja.requests import DarajaCredentials
from providers.fineract.wire import FineractCredentials
from store.platform import partners

_START: Final = [sys.executable, "-c", "import asyncio; from benchmarks.textbook import main; asyncio.run(main())"]


async def costs(bench: Bench, loans: list[int]) -> Cost:
    """Of every loan but the first twenty, which warm it up."""
    known = await _known(bench)
    async with textbook.engine_of(known.database_url) as engine, _running(known) as pid:
        await textbook.make_tables(engine)
        client = await textbook.connect(known)
        numbers = count(1)

        async def one(loan: int) -> str:
            return await textbook.begin(engine, client, f"txt-{next(numbers)}", loan)

        await rate(loans[:IN_FLIGHT], one)
        measured = replace(bench, pids=lambda: {**bench.pids(), "textbook": pid})
        return await cost_of(measured, "textbook disbursement", loans[IN_FLIGHT:], one)


async def _known(bench: Bench) -> textbook.Known:
    """The credentials of the lender's connections, opened."""
    security = bench.settings.security
    box = CredentialBox([key.get_secret_value() for key in security.credential_keys])
    async with bench.database.transaction() as session:
        mpesa = await partners.connection(session, bench.partner_id, "daraja")
        core = await partners.connection(session, bench.partner_id, "fineract")
    keys, settings = (
        DarajaSecrets.model_validate_json(box.open(mpesa.sealed)),
        DarajaSettings.model_validate(mpesa.settings),
    )
    user, server = (
        FineractSecrets.model_validate_json(box.open(core.sealed)),
        FineractSettings.model_validate(core.settings),
    )
    credentials = DarajaCredentials(
        consumer_key=keys.consumer_key, consumer_secret=keys.consumer_secret, shortcode=settings.shortcode,
        initiator_name=settings.initiator_name, initiator_password=keys.initiator_password,
        certificate_pem=settings.certificate_pem,
    )  # fmt: skip
    login = FineractCredentials(
        tenant=server.tenant, username=user.username, password=user.password, timezone=server.timezone
    )
    damza = bench.settings.sms.damza
    return textbook.Known(
        database_url=bench.settings.database.url,
        temporal=f"127.0.0.1:{bench.settings.temporal.port}",
        port=free_port(),
        fineract_url=server.base_url,
        fineract_headers=login.headers(),
        daraja_url=settings.base_url,
        daraja=credentials.model_dump(),
        sms_url=damza.base_url,
        sms_key=damza.api_key.get_secret_value(),
        lender_phone=AUTHORISED_PHONE,
    )


@asynccontextmanager
async def _running(known: textbook.Known) -> AsyncIterator[int]:
    """Its process id, once it answers."""
    process = await asyncio.create_subprocess_exec(*_START, stdin=asyncio.subprocess.PIPE)
    try:
        assert process.stdin is not None
        process.stdin.write(known.model_dump_json().encode() + b"\n")
        process.stdin.close()
        await _answers(f"http://127.0.0.1:{known.port}/openapi.json")
        yield process.pid
    finally:
        process.kill()
        await process.wait()


async def _answers(url: str) -> None:
    async with httpx.AsyncClient() as http, asyncio.timeout(60):
        while True:
            try:
                if (await http.get(url)).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
