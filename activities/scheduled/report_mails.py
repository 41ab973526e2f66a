"""Yesterday's reports, by email to who subscribed: written into the outbox, once for each day."""

from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from zoneinfo import ZoneInfo

import structlog
from temporalio import activity

from core.clock import utc_now
from models.messages.housekeeping import ReportsMailed
from models.tables.platform.report_subscription import ReportSubscription
from notices.outbox import notify_address
from reports.build import build
from reports.plain import as_text
from reports.shapes import Kind, Period, Report, Scope
from store.database import Database
from store.platform import partners
from store.reports import subscriptions

log = structlog.get_logger()

_FOOT = "You get this every day. Whoever runs your payments can end it: the subscription is {subscription}."


@dataclass(frozen=True)
class ReportMails:
    database: Database
    report_zone: str

    @activity.defn(name="reports.mail_due")
    async def mail_due(self) -> ReportsMailed:
        """Every subscription whose hour has come and whose day was not sent yet. One that cannot be made holds up no other.
        May be repeated: a day is sent in the transaction that notes it."""
        async with self.database.transaction() as session:
            wanted = await subscriptions.every(session)
        mailed = 0
        for one in wanted:
            try:
                mailed += await self._mail(one)
            except Exception as error:  # the others' reports must not wait for it
                log.error("report_not_mailed", subscription=one.id, kind=type(error).__name__)
        return ReportsMailed(mailed=mailed)

    async def _mail(self, one: ReportSubscription) -> bool:
        async with self.database.transaction() as session:
            partner = await partners.get(session, one.partner_id) if one.partner_id else None
        if partner is not None and partner.status != "active":
            return False
        now = utc_now().astimezone(ZoneInfo(partner.timezone if partner else self.report_zone))
        day = now.date() - timedelta(days=1)
        if now.hour < one.hour or (one.last_day is not None and one.last_day >= day):
            return False
        period = Period(day, day, partner.timezone if partner else self.report_zone)
        async with self.database.transaction() as session:
            report = await build(session, cast(Kind, one.kind), Scope(period, one.partner_id))
        async with self.database.transaction() as session:
            if not await subscriptions.sent(session, one.id, day):
                return False
            await notify_address(
                session, "report", key=f"report/{one.id}/{day}", email=one.email, subject=_subject(report),
                text=f"{as_text(report)}\n{_FOOT.format(subscription=one.id)}", partner_id=one.partner_id,
            )  # fmt: skip
        return True


def _subject(report: Report) -> str:
    return f"{report.title}, {report.about}"
