"""The connection to Temporal.

Address, namespace, API key and TLS are read the way Temporal's own tools read them (`TEMPORAL_ADDRESS`,
`TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS…`, or a TOML profile); without any of it, the local server.
"""

from typing import Any

from temporalio.client import Client
from temporalio.envconfig import ClientConfig

from core.crypto import KeyRing
from core.settings import Settings
from temporal.converter import data_converter


def key_ring(settings: Settings) -> KeyRing:
    """The payload keys of these settings."""
    keys = {name: key.get_secret_value() for name, key in settings.security.payload_keys.items()}
    return KeyRing(keys, settings.security.payload_key_active)


def connection_config(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of `Client.connect`: Temporal's own configuration over the local server's address."""
    local = {"target_host": f"127.0.0.1:{settings.temporal.port}", "namespace": settings.temporal.namespace}
    return {**local, **ClientConfig.load_client_connect_config()}


async def connect(settings: Settings, **overrides: Any) -> Client:
    """A client with our sealed data converter; `overrides` are arguments of `Client.connect` and win over everything.

    Raises RuntimeError if the server cannot be reached.
    """
    config = {**connection_config(settings), "data_converter": data_converter(key_ring(settings)), **overrides}
    return await Client.connect(**config)
