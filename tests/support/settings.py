"""Settings of tests and of what is recorded with the tests' own servers."""

from pathlib import Path

from core.settings import Security, Settings
from tests.support.simulator_server import RunningSimulators
from tests.support.temporal import TEST_PAYLOAD_KEYS


def of_a_test(data_dir: Path) -> Settings:
    """Nothing from `.env`, keys of the tests, data in this folder."""
    security = Security.model_validate({"payload_keys": TEST_PAYLOAD_KEYS, "payload_key_active": "test-1"})
    return Settings(_env_file=None, environment="test", data_dir=data_dir, security=security)


def wired_to(settings: Settings, database_url: str, simulators: RunningSimulators) -> Settings:
    """`settings` that point to this database and these simulators."""
    sms = settings.sms
    return settings.model_copy(
        update={
            "database": settings.database.model_copy(update={"url": database_url}),
            "email": settings.email.model_copy(update={"port": simulators.smtp_port}),
            "sms": sms.model_copy(
                update={
                    name: getattr(sms, name).model_copy(update={"base_url": f"{simulators.url}/{name}"})
                    for name in ("damza", "africastalking")
                }
            ),
        }
    )
