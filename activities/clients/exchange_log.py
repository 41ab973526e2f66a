"""Keeps a row for every call to a provider, with the saga that made it."""

import structlog
from sqlalchemy.exc import SQLAlchemyError
from temporalio import activity

from providers.ports import Exchange
from store.database import Database
from store.platform import exchanges

log = structlog.get_logger()


class ExchangeLog:
    """A recorder for the provider clients of one partner."""

    def __init__(self, database: Database, partner_id: str | None) -> None:
        self._database, self._partner_id = database, partner_id

    async def __call__(self, exchange: Exchange) -> None:
        workflow_id = activity.info().workflow_id if activity.in_activity() else None
        try:
            async with self._database.transaction() as session:
                await exchanges.add(
                    session,
                    provider=exchange.provider,
                    operation=exchange.operation,
                    partner_id=self._partner_id,
                    workflow_id=workflow_id,
                    reference=exchange.reference,
                    method=exchange.method,
                    url=exchange.url,
                    request=exchange.request,
                    response=exchange.response,
                    status_code=exchange.status_code,
                    outcome=exchange.outcome,
                    duration_ms=exchange.duration_ms,
                    started_at=exchange.started_at,
                )
        except SQLAlchemyError as error:
            # A payment's answer outranks its log line: losing the row is reported, not raised.
            log.error("exchange_not_logged", operation=exchange.operation, error=type(error).__name__)
