"""The API's process: `python -m api`. Stops gracefully on SIGTERM or Ctrl-C: running requests are finished."""

import os
import sys

import structlog
import uvicorn

from api.app import create_app
from core.logs import configure_logs
from core.settings import get_settings


def main() -> None:
    settings = get_settings()
    configure_logs(settings.log_format, settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.api.host,
        port=settings.api.port,
        log_config=None,
        # Paths hold the secrets of callbacks and hooks; api/front_door.py logs routes instead.
        access_log=False,
        # Whom to believe about a caller's address is ours to decide (api/source_address.py).
        proxy_headers=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=int(settings.api.max_wait_seconds) + 2,
    )


if __name__ == "__main__":
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except KeyboardInterrupt:
        code = 0
    except BaseException:
        structlog.get_logger().exception("api_failed")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the SDK's threads can crash an ordinary interpreter exit (TEMPORAL.md 4.6)
