"""A partner's connections: checked before they are kept, registered where a provider announces payments."""

from dataclasses import dataclass

from temporalio import activity

from activities.clients.callback_urls import CallbackUrls
from activities.clients.connections import Connections
from activities.clients.exchange_log import ExchangeLog
from activities.clients.provider_clients import addresses_of, opener
from core.crypto import CallbackRoute
from core.errors import KivukoError, NotAllowed, NotReached, Rejected, Transient
from inbound.connection_checks import CHECK_ROUTE
from models.messages.connections.jobs import (
    CheckConnection,
    ConnectionChecked,
    PaybillRegistered,
    QueryBalance,
    RegisterPaybill,
)
from models.messages.connections.sealed import SealedConnection
from providers.daraja.client import Daraja
from providers.dialling import REFUSED_CODE, REFUSED_TEXT, refuse_address
from providers.fineract.client import Fineract
from store.database import Database
from store.platform import partners

# One text for every cause: whoever gives addresses may not learn from us what stands behind them.
_UNREACHED = {
    REFUSED_CODE: REFUSED_TEXT,
    NotReached.default_code: "The server at this address did not answer as it should.",
}


@dataclass(frozen=True)
class PartnerConnections:
    """`urls` is where providers reach us."""

    database: Database
    connections: Connections
    urls: CallbackUrls

    @activity.defn(name="connections.check")
    async def check(self, order: CheckConnection) -> ConnectionChecked:
        """Tries the credentials with a harmless call. Never fails: what went wrong is the result.

        M-Pesa's token proves the app alone, so its balance is asked for too: the answer comes to the workflow that runs
        this, and until then the result is not `certain`.
        """
        connection = order.connection
        try:
            for place, address in addresses_of(connection).items():
                await refuse_address(address, self.connections.rules, field=place)
            client = self.connections.build(connection, ExchangeLog(self.database, connection.partner_id))
        except (KivukoError, ValueError) as error:
            detail = error.detail if isinstance(error, KivukoError) else "the settings cannot be read"
            code = error.code if isinstance(error, KivukoError) else "invalid_settings"
            field = error.extra.get("field") if isinstance(error, KivukoError) else None
            return ConnectionChecked(ok=False, code=code, detail=detail, field=field)
        identity: str | None = None
        try:
            await client.check()
            if isinstance(client, Fineract):
                identity = await client.identity()
            if isinstance(client, Daraja):
                return await self._ask_for_balance(client, connection)
        except NotReached as error:
            return ConnectionChecked(ok=False, code=error.code, detail=_UNREACHED[error.code], field="base_url")
        except KivukoError as error:
            blamed = (
                opener(connection.provider).blamed(connection.settings) if isinstance(error, NotAllowed) else "base_url"
            )
            return ConnectionChecked(
                ok=False, code=error.code, detail=error.detail, field=error.extra.get("field", blamed)
            )
        finally:
            await client.close()
        return ConnectionChecked(ok=True, identity=identity)

    async def _ask_for_balance(self, daraja: Daraja, connection: SealedConnection) -> ConnectionChecked:
        """The address is of this check alone: who was told one before cannot answer for a later one."""
        run = f"{CHECK_ROUTE}{activity.info().workflow_run_id}"
        url = self.urls.balance(CallbackRoute(run, connection.partner_id or "-"))
        try:
            await daraja.query_balance(url, url)
        except Rejected as refused:
            if isinstance(refused, NotAllowed):
                raise
            return ConnectionChecked(ok=False, code=refused.code, detail=refused.detail, field="shortcode")
        except Transient:
            pass  # the credentials work; of the short code nothing is known
        return ConnectionChecked(ok=True, certain=False)

    @activity.defn(name="connections.query_balance")
    async def query_balance(self, order: QueryBalance) -> None:
        """Asks for the balances of the partner's M-Pesa accounts; the answer comes by callback. Raises Busy while the
        connection may not be used, Rejected, Transient."""
        async with self.database.transaction() as session:
            daraja = await self.connections.daraja(session, order.partner_id)
        url = self.urls.balance(CallbackRoute(f"balance/{order.partner_id}", order.partner_id))
        await daraja.query_balance(url, url)

    @activity.defn(name="connections.register_paybill")
    async def register_paybill(self, order: RegisterPaybill) -> PaybillRegistered:
        """Registers where payments to the short code are announced, and the short code for the pulled list. Both may be
        repeated (daraja.md 5). Raises NotFound without a connection, Busy while it is blocked, Rejected, Transient."""
        async with self.database.transaction() as session:
            row = await partners.connection(session, order.partner_id, "daraja")
            daraja = await self.connections.daraja(session, order.partner_id)
        address = f"{self.urls.base_url.rstrip('/')}/cb/in/{self.connections.address_secret(row)}"
        announcements = await daraja.register_c2b(f"{address}/confirm", f"{address}/check", order.unanswered)
        pull = await daraja.pull_register(order.nominated, f"{address}/confirm")
        return PaybillRegistered(announcements=announcements, pull=pull)
