"""Opens provider clients from stored connections: one client per connection version, shared by all activities.

Sharing matters for Daraja, where minting a token is documented to end the one before.
"""

import asyncio
from typing import TypeVar

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.clients.exchange_log import ExchangeLog
from activities.clients.provider_clients import ProviderClient, build
from core.addresses import STRICT, DiallingRules
from core.crypto import CredentialBox
from core.errors import Busy
from models.messages.connections import BankSettings, SealedConnection
from models.tables.platform.connection import Connection
from providers.banking import BankPort
from providers.daraja.client import Daraja
from providers.fineract.client import Fineract
from providers.ncba.client import Ncba
from providers.ports import ExchangeRecorder
from providers.reference_bank.client import ReferenceBank
from store.database import Database
from store.platform import partners, secret_addresses

C = TypeVar("C", Daraja, Fineract)


class Connections:
    """The provider clients of one worker process. Close it when the worker ends."""

    def __init__(self, database: Database, box: CredentialBox, rules: DiallingRules = STRICT) -> None:
        """`rules` say which addresses partners' connections may lead to."""
        self._database, self.box = database, box
        self.rules = rules
        self._open: dict[tuple[str, str], tuple[int, ProviderClient]] = {}
        self._lock = asyncio.Lock()

    async def daraja(self, session: AsyncSession, partner_id: str) -> Daraja:
        """Raises Busy (code "connection_blocked") while an operator must mend the credential first: more calls with a
        bad one lock it, and one stale password fails a whole batch (SCARS). Raises Busy (code "connection_unproven")
        while the platform has not vetted where it leads."""
        row = await partners.connection(session, partner_id, "daraja")
        _refuse_blocked(row, "M-Pesa")
        return await self._typed(row, Daraja)

    async def payer(self, session: AsyncSession, partner_id: str) -> tuple[Daraja, str]:
        """M-Pesa, and the short code that pays. Raises as `daraja` does."""
        row = await partners.connection(session, partner_id, "daraja")
        _refuse_blocked(row, "M-Pesa")
        return await self._typed(row, Daraja), str(row.settings["shortcode"])

    async def fineract(self, session: AsyncSession, partner_id: str) -> Fineract:
        """Raises Busy (code "connection_unproven") as for M-Pesa."""
        row = await partners.connection(session, partner_id, "fineract")
        _refuse_unproven(row, "Fineract")
        return await self._typed(row, Fineract)

    async def bank(self, session: AsyncSession, partner_id: str) -> tuple[BankPort, BankSettings]:
        """The partner's bank and which of its accounts are which. Raises Busy ("connection_blocked") as for M-Pesa."""
        row = await partners.connection(session, partner_id, "bank")
        _refuse_blocked(row, "bank")
        client = await self._client(row)
        assert isinstance(client, Ncba | ReferenceBank)
        return client, BankSettings.model_validate(row.settings)

    def build(self, connection: SealedConnection, recorder: ExchangeRecorder) -> ProviderClient:
        """A client from a connection that need not be stored yet. The caller closes it."""
        return build(connection, self.box, recorder, self.rules)

    def push_secret(self, row: Connection) -> str:
        """The secret part of the address where this connection's provider tells of payments. Raises Conflict."""
        return secret_addresses.opened(row, "push", self.box)

    async def close(self) -> None:
        for _, client in self._open.values():
            await client.close()
        self._open.clear()

    async def _typed(self, row: Connection, kind: type[C]) -> C:
        client = await self._client(row)
        assert isinstance(client, kind)
        return client

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


def _refuse_unproven(row: Connection, name: str) -> None:
    if row.status == "unproven":
        raise Busy(f"The {name} connection is not proven: the platform vets its address.", code="connection_unproven")


def _refuse_blocked(row: Connection, name: str) -> None:
    _refuse_unproven(row, name)
    if row.status == "blocked":
        raise Busy(f"The {name} connection is blocked until its credential is mended.", code="connection_blocked")
