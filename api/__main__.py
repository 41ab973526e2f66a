"""The API's process: `python -m api`. Stops gracefully on SIGTERM or Ctrl-C: running requests are finished."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn

from api.app import create_app
from core.logs import configure_logs
from core.settings import Settings, get_settings


class Server(uvicorn.Server):
    """uvicorn, which after a graceful stop would kill the process with the signal that asked for it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """Asked twice, it does not wait for running requests."""
        self.force_exit = self.should_exit
        self.should_exit = True


def build_server(settings: Settings) -> Server:
    return Server(
        uvicorn.Config(
            create_app(settings),
            host=settings.api.host,
            port=settings.api.port,
            log_config=None,
            # Paths hold the secrets of callbacks and hooks; api/http/request_middleware.py logs routes instead.
            access_log=False,
            # Whom to believe about a caller's address is ours to decide (api/http/source_address.py).
            proxy_headers=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=int(settings.api.max_wait_seconds) + 2,
        )
    )


async def main() -> int:
    settings = get_settings()
    configure_logs(settings.log_format, settings.log_level)
    server = build_server(settings)
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, server.stop)
    await server.serve()
    return 0 if server.started else 1


if __name__ == "__main__":
    code = 1
    try:
        code = asyncio.run(main())
    except SystemExit as stop:  # uvicorn's, when the address is taken
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        structlog.get_logger().exception("api_failed")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the SDK's threads can crash an ordinary interpreter exit
