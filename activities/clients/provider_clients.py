"""Provider clients made from stored connections. What is particular to a provider (which class, which settings, which rails)
stands in `activities/clients/providers/<name>.py` and is found by its name."""

from collections.abc import Mapping
from datetime import timedelta
from importlib import import_module
from typing import Any, Protocol, cast

from core.addresses import STRICT, DiallingRules
from core.crypto import CredentialBox
from models import providers
from models.messages.connections.reach import ConnectionSettings
from models.messages.connections.sealed import SealedConnection
from providers.ports import CollectionRail, Endpoint, ExchangeRecorder, PayoutRail

Settings = Mapping[str, Any]


class ProviderClient(Protocol):
    """An open client. `check` is a harmless call that proves the credentials; raises NotReached, NotAllowed, other errors."""

    async def check(self) -> None: ...
    async def close(self) -> None: ...


class Opener(Protocol):
    """What a provider's file offers: a client, and of a rail what pays and prompts by it.

    `blamed` names the given value that is at fault when the credentials are refused.
    """

    def client(
        self, given: Settings, secrets: str | bytes, recorder: ExchangeRecorder, rules: DiallingRules
    ) -> ProviderClient: ...
    def blamed(self, given: Settings) -> str: ...
    def payouts(self, client: ProviderClient, given: Settings) -> PayoutRail: ...
    def prompts(self, client: ProviderClient, given: Settings) -> CollectionRail: ...


def opener(provider: str) -> Opener:
    """Raises ModuleNotFoundError for a provider that has no file."""
    return cast(Opener, import_module(f"activities.clients.providers.{provider}"))


def addresses_of(connection: SealedConnection) -> dict[str, str]:
    """The addresses that whoever gave the connection chose, by the field that holds each. Raises ValidationError."""
    return providers.settings_of(connection.provider, connection.settings).addresses()


def build(
    connection: SealedConnection, box: CredentialBox, recorder: ExchangeRecorder, rules: DiallingRules = STRICT
) -> ProviderClient:
    """A client from a connection that need not be stored yet. `rules` say which addresses it may call. The caller closes
    it."""
    return opener(connection.provider).client(connection.settings, box.open(connection.sealed), recorder, rules)


def endpoint(settings: ConnectionSettings, rules: DiallingRules) -> Endpoint:
    """Where a connection leads, as every client takes it."""
    return Endpoint(
        base_url=settings.base_url,
        ca_pem=settings.trust.ca_pem,
        verify_tls=settings.trust.verify_tls,
        connect_timeout=timedelta(seconds=settings.patience.connect_seconds),
        read_timeout=timedelta(seconds=settings.patience.read_seconds),
        rules=rules,
    )
