"""Opens provider clients from stored connections: one client per connection version, shared by all activities.

Sharing matters for Daraja, where minting a token is documented to end the one before.
"""

import asyncio
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.exchange_log import ExchangeLog
from core.crypto import CredentialBox
from core.errors import Busy
from models.messages.connections import (
    DarajaSecrets,
    DarajaSettings,
    FineractSecrets,
    FineractSettings,
    SealedConnection,
)
from models.tables.partners import Connection
from providers.daraja.client import Daraja
from providers.daraja.requests import DarajaCredentials
from providers.fineract.client import Fineract
from providers.fineract.wire import FineractCredentials
from providers.ports import Endpoint, ExchangeRecorder
from store import partners
from store.database import Database


class Connections:
    """The provider clients of one worker process. Close it when the worker ends."""

    def __init__(self, database: Database, box: CredentialBox) -> None:
        self._database, self._box = database, box
        self._open: dict[tuple[str, str], tuple[int, Daraja | Fineract]] = {}
        self._lock = asyncio.Lock()

    async def daraja(self, session: AsyncSession, partner_id: str) -> Daraja:
        """Raises Busy (code "connection_blocked") while an operator must mend the credential first: more calls with a
        bad one lock it, and one stale password fails a whole batch (SCARS)."""
        row = await partners.connection(session, partner_id, "daraja")
        if row.status == "blocked":
            raise Busy("The M-Pesa connection is blocked until its credential is mended.", code="connection_blocked")
        client = await self._client(row)
        assert isinstance(client, Daraja)
        return client

    async def fineract(self, session: AsyncSession, partner_id: str) -> Fineract:
        client = await self._client(await partners.connection(session, partner_id, "fineract"))
        assert isinstance(client, Fineract)
        return client

    def build(self, connection: SealedConnection, recorder: ExchangeRecorder) -> Daraja | Fineract:
        """A client from a connection that need not be stored yet. The caller closes it."""
        secrets = self._box.open(connection.sealed)
        if connection.provider == "daraja":
            settings, keys = (
                DarajaSettings.model_validate(connection.settings),
                DarajaSecrets.model_validate_json(secrets),
            )
            return Daraja(
                _endpoint(settings),
                DarajaCredentials(
                    consumer_key=keys.consumer_key,
                    consumer_secret=keys.consumer_secret,
                    shortcode=settings.shortcode,
                    initiator_name=settings.initiator_name,
                    initiator_password=keys.initiator_password,
                    certificate_pem=settings.certificate_pem,
                    b2c_version=settings.b2c_version,
                    command_id=settings.command_id,
                ),
                recorder=recorder,
            )
        server, user = (
            FineractSettings.model_validate(connection.settings),
            FineractSecrets.model_validate_json(secrets),
        )
        return Fineract(
            _endpoint(server),
            FineractCredentials(
                tenant=server.tenant, username=user.username, password=user.password, timezone=server.timezone
            ),
            recorder=recorder,
        )

    async def close(self) -> None:
        for _, client in self._open.values():
            await client.close()
        self._open.clear()

    async def _client(self, row: Connection) -> Daraja | Fineract:
        key = (row.partner_id, row.provider)
        async with self._lock:
            version, client = self._open.get(key, (0, None))
            if client is None or version != row.version:
                if client is not None:
                    await client.close()
                sealed = SealedConnection.model_validate(row, from_attributes=True)
                client = self.build(sealed, ExchangeLog(self._database, row.partner_id))
                self._open[key] = (row.version, client)
            return client


def _endpoint(settings: DarajaSettings | FineractSettings) -> Endpoint:
    return Endpoint(
        base_url=settings.base_url,
        ca_pem=settings.trust.ca_pem,
        verify_tls=settings.trust.verify_tls,
        connect_timeout=timedelta(seconds=settings.patience.connect_seconds),
        read_timeout=timedelta(seconds=settings.patience.read_seconds),
    )
