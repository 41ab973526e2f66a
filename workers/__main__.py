"""One worker process: `python -m workers`. Stops gracefully on SIGTERM or Ctrl-C: running activities are finished."""

import asyncio
import os
import signal
import sys
from typing import Any

import structlog

from core.crypto import CredentialBox
from core.logs import configure_logs
from core.settings import Settings, get_settings
from store.database import Database
from temporal.client import connect
from temporal.queues import FLOWS, MESSAGES
from workers.funds import FundsLine
from workers.gateways import Gateways
from workers.outbox import Dispatcher
from workers.wiring import build_workers

log = structlog.get_logger()


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Until `stop` is set. Raises if a worker dies for good, so that the supervisor starts a new process."""
    database = Database.of(settings)
    client = await connect(settings)
    built = build_workers(settings, client, database)
    async with Gateways.open(settings, database) as gateways:
        running: list[asyncio.Task[Any]] = [asyncio.create_task(worker.run()) for worker in built.workers]
        sealer = CredentialBox([key.get_secret_value() for key in settings.security.credential_keys])
        dispatcher = Dispatcher(database, gateways.sms, gateways.email, sealer=sealer)
        line = FundsLine(database, client)
        loops = [run for word, run in ((MESSAGES, dispatcher.run), (FLOWS, line.run)) if word in built.queues]
        dispatching = [asyncio.create_task(loop()) for loop in loops]
        stopped = asyncio.create_task(stop.wait())
        log.info("worker_ready", queues=built.queues)
        done, _ = await asyncio.wait([*running, *dispatching, stopped], return_when=asyncio.FIRST_COMPLETED)
        log.info("worker_stopping")
        await asyncio.gather(*(worker.shutdown() for worker in built.workers), return_exceptions=True)
        for task in dispatching:
            task.cancel()
        await asyncio.gather(*running, *dispatching, return_exceptions=True)
    await built.close()
    await database.close()
    for task in done - {stopped}:
        task.result()


async def main() -> None:
    settings = get_settings()
    configure_logs(settings.log_format, settings.log_level)
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    await run(settings, stop)


if __name__ == "__main__":
    code = 0
    try:
        asyncio.run(main())
    except BaseException:
        structlog.get_logger().exception("worker_failed")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the SDK's threads can crash an ordinary interpreter exit
