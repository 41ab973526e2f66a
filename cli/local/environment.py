"""The settings of the local stack, fitted together and spelled as environment variables for its child processes."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from core.settings import Callbacks, Email, Settings, Sms

_CODE_ROOT = Path(__file__).resolve().parents[2]


def fitted(settings: Settings, database_url: str) -> Settings:
    """The settings with every address that nobody chose pointing into this stack, whatever its ports are."""
    simulators = f"http://{settings.simulators.host}:{settings.simulators.port}"
    sms, email, callbacks = settings.sms, settings.email, settings.callbacks
    defaults = Sms()
    if sms.damza.base_url == defaults.damza.base_url:
        damza = sms.damza.model_copy(update={"base_url": f"{simulators}/damza"})
        sms = sms.model_copy(update={"damza": damza})
    if sms.africastalking.base_url == defaults.africastalking.base_url:
        africas_talking = sms.africastalking.model_copy(update={"base_url": f"{simulators}/africastalking"})
        sms = sms.model_copy(update={"africastalking": africas_talking})
    if (email.host, email.port) == (Email().host, Email().port):
        email = email.model_copy(update={"host": settings.simulators.host, "port": settings.simulators.smtp_port})
    if callbacks.base_url == Callbacks().base_url:
        base_url = f"http://{settings.api.host}:{settings.api.port}"
        callbacks = callbacks.model_copy(update={"base_url": base_url})
    database = settings.database.model_copy(update={"url": database_url})
    return settings.model_copy(
        update={
            "data_dir": settings.data_dir.absolute(),
            "database": database,
            "sms": sms,
            "email": email,
            "callbacks": callbacks,
        }
    )


def child_environment(settings: Settings, temporal_address: str) -> dict[str, str]:
    """Our environment, these settings over it, and the code on the path even if it is not installed."""
    path = os.pathsep.join(filter(None, (str(_CODE_ROOT), os.environ.get("PYTHONPATH", ""))))
    ours = {
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        # glibc gives every thread of the SDK's an arena of its own, which keeps what it once needed.
        "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
        "TEMPORAL_ADDRESS": temporal_address,
        "TEMPORAL_NAMESPACE": os.environ.get("TEMPORAL_NAMESPACE", settings.temporal.namespace),
    }
    return {**os.environ, **dict(_variables(settings, "KIVUKO_")), **ours}


def _variables(model: BaseModel, prefix: str) -> Iterator[tuple[str, str]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        key = f"{prefix}{name.upper()}"
        if isinstance(value, BaseModel):
            yield from _variables(value, f"{key}__")
        elif value is not None:
            plain = _plain(value)
            yield key, json.dumps(plain) if isinstance(plain, list | dict) else str(plain)


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
