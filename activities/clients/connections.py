"""Opens provider clients from stored connections: one client per connection version, shared by all activities.

Sharing matters for Daraja, where minting a token is documented to end the one before.
"""

import asyncio

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.clients.exchange_log import ExchangeLog
from activities.clients.provider_clients import ProviderClient, build, opener
from core.addresses import STRICT, DiallingRules
from core.crypto import CredentialBox
from core.errors import Busy
from models import providers
from models.messages.connections.bank import BankSettings
from models.messages.connections.sealed import SealedConnection
from models.tables.platform.connection import Connection
from providers.banking import BankPort
from providers.daraja.client import Daraja
from providers.fineract.client import Fineract
from providers.ncba.client import Ncba
from providers.ports import CollectionRail, ExchangeRecorder, PayoutRail
from providers.reference_bank.client import ReferenceBank
from store.database import Database
from store.platform import partners, secret_addresses


class Connections:
    """The provider clients of one worker process. Close it when the worker ends."""

    def __init__(self, database: Database, box: CredentialBox, rules: DiallingRules = STRICT) -> None:
        """`rules` say which addresses partners' connections may lead to."""
        self._database, self.box = database, box
        self.rules = rules
        self._open: dict[tuple[str, str], tuple[int, ProviderClient]] = {}
        self._lock = asyncio.Lock()

    async def payout_rail(self, session: AsyncSession, provider: str, partner_id: str) -> PayoutRail:
        """By which the partner's money goes out.

        Raises Busy (code "connection_blocked") while an operator must mend the credential first: more calls with a bad one
        lock it, and one stale password fails a whole batch (SCARS); and Busy (code "connection_unproven") while the
        platform has not vetted where the connection leads."""
        row = await self._usable(session, provider, partner_id)
        return opener(provider).payouts(await self._client(row), row.settings)

    async def collection_rail(self, session: AsyncSession, provider: str, partner_id: str) -> CollectionRail:
        """By which payers are prompted. Raises as `payout_rail`."""
        row = await self._usable(session, provider, partner_id)
        return opener(provider).prompts(await self._client(row), row.settings)

    async def daraja(self, session: AsyncSession, partner_id: str) -> Daraja:
        """Raises as `payout_rail`."""
        client = await self._client(await self._usable(session, "daraja", partner_id))
        assert isinstance(client, Daraja)
        return client

    async def fineract(self, session: AsyncSession, partner_id: str) -> Fineract:
        """Raises Busy (code "connection_unproven") as `payout_rail`."""
        row = await partners.connection(session, partner_id, "fineract")
        _refuse_unproven(row)
        client = await self._client(row)
        assert isinstance(client, Fineract)
        return client

    async def bank(self, session: AsyncSession, partner_id: str) -> tuple[BankPort, BankSettings]:
        """The partner's bank and which of its accounts are which. Raises as `payout_rail`."""
        row = await self._usable(session, "bank", partner_id)
        client = await self._client(row)
        assert isinstance(client, Ncba | ReferenceBank)
        return client, BankSettings.model_validate(row.settings)

    def build(self, connection: SealedConnection, recorder: ExchangeRecorder) -> ProviderClient:
        """A client from a connection that need not be stored yet. The caller closes it."""
        return build(connection, self.box, recorder, self.rules)

    def address_secret(self, row: Connection) -> str:
        """The secret part of the address where this connection's provider calls us. Raises Conflict."""
        return secret_addresses.opened(row, self.box)

    async def close(self) -> None:
        for _, client in self._open.values():
            await client.close()
        self._open.clear()

    async def _usable(self, session: AsyncSession, provider: str, partner_id: str) -> Connection:
        row = await partners.connection(session, partner_id, provider)
        _refuse_unproven(row)
        if row.status == "blocked":
            name = providers.named(row.provider).word
            raise Busy(f"The {name} connection is blocked until its credential is mended.", code="connection_blocked")
        return row

    async def _client(self, row: Connection) -> ProviderClient:
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


def _refuse_unproven(row: Connection) -> None:
    if row.status == "unproven":
        name = providers.named(row.provider).word
        raise Busy(f"The {name} connection is not proven: the platform vets its address.", code="connection_unproven")
