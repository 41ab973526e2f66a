"""Makes a report: reads its tables in one moment, by set-based queries of a bounded period."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from reports import daily, financial, messages, partner
from reports.shapes import Kind, Report, Scope, Table
from store.platform import partners
from store.reports.moment import freeze


@dataclass(frozen=True, slots=True)
class ReportKind:
    """`shows_balances`: who reads it must be allowed to read wallets."""

    title: str
    about: str
    tables: Callable[[AsyncSession, Scope], Awaitable[tuple[Table, ...]]]
    shows_balances: bool = False


KINDS: Final[dict[Kind, ReportKind]] = {
    "daily": ReportKind("Daily summary", "Payments asked for and ended, reasons, cases, messages", daily.tables),
    "partner": ReportKind("Report by partner", "Each partner's payments, wallet, messages", partner.tables, True),
    "financial": ReportKind("Financial report", "Balances and charges, from the ledger", financial.tables, True),
    "sms": ReportKind("Messages", "SMS and emails by event, gateway, state and delivery", messages.tables),
}


async def build(session: AsyncSession, kind: Kind, scope: Scope) -> Report:
    """The session's transaction must be fresh; it only reads from now on. Raises NotFound for a partner that there is not."""
    await freeze(session)
    name = (await partners.get(session, scope.partner_id)).name if scope.partner_id else None
    told = KINDS[kind]
    return Report(
        kind=kind,
        title=told.title,
        period=scope.period,
        partner_id=scope.partner_id,
        partner_name=name,
        as_of=utc_now(),
        tables=await told.tables(session, scope),
    )
