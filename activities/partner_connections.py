"""Checks a partner's connection before it is kept."""

from dataclasses import dataclass

from temporalio import activity

from activities.connections import Connections
from activities.exchange_log import ExchangeLog
from core.errors import KivukoError, NotAllowed
from models.messages.connections import CheckConnection, ConnectionChecked
from store.database import Database

# Which of the given values to blame when credentials are refused.
_BLAME = {"fineract": "password", "daraja": "consumer_secret"}


@dataclass(frozen=True)
class PartnerConnections:
    database: Database
    connections: Connections

    @activity.defn(name="connections.check")
    async def check(self, order: CheckConnection) -> ConnectionChecked:
        """Tries the credentials with a harmless call. Never fails: what went wrong is the result."""
        connection = order.connection
        try:
            client = self.connections.build(connection, ExchangeLog(self.database, connection.partner_id))
        except (KivukoError, ValueError) as error:
            detail = error.detail if isinstance(error, KivukoError) else "the settings cannot be read"
            return ConnectionChecked(ok=False, code="invalid_settings", detail=detail)
        try:
            await client.check()
        except KivukoError as error:
            blamed = _BLAME[connection.provider] if isinstance(error, NotAllowed) else "base_url"
            return ConnectionChecked(
                ok=False, code=error.code, detail=error.detail, field=error.extra.get("field", blamed)
            )
        finally:
            await client.close()
        return ConnectionChecked(ok=True)
