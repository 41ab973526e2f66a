"""`python -m simulators`: every simulator on one port, with a memory that survives restarts."""

import uvicorn

from core.settings import get_settings
from simulators.app import create_simulators


def main() -> None:
    settings = get_settings()
    wanted = settings.simulators
    app = create_simulators(
        data_file=settings.data_dir / "simulators.db",
        seed=wanted.seed,
        smtp_host=wanted.host,
        smtp_port=wanted.smtp_port,
    )
    # Where Africa's Talking's dashboard would be told to send delivery reports.
    secret = settings.sms.report_secret.get_secret_value()
    address = {"url": f"{settings.callbacks.base_url}/cb/sms/{secret}/africastalking"}
    app.state.world.documents.put("africastalking.settings", "delivery", address)
    # No access log: some providers' URLs carry phone numbers. Hanging faults must not hold up a stop.
    uvicorn.run(
        app,
        host=wanted.host,
        port=wanted.port,
        log_level=settings.log_level.lower(),
        access_log=False,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
