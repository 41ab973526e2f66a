"""Erases personal data after their policy time, a few minutes at a time."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from temporalio import activity

from core.settings import Retention
from models.messages.housekeeping import Erased
from store import pulse
from store.database import Database
from store.platform import retention

log = structlog.get_logger()

# Less than the activity may take.
_AT_A_TIME: Final = timedelta(minutes=4)


@dataclass(frozen=True)
class Retaining:
    database: Database
    retention: Retention

    @activity.defn(name="retention.erase")
    async def erase(self) -> Erased:
        """Harmless beside another one, and when it is done again."""
        done = await retention.erase(self.database, self.retention, within=_AT_A_TIME)
        if done.finished:
            async with self.database.transaction() as session:
                await pulse.ran(session, pulse.RETENTION)
        log.info("personal_data_erased", finished=done.finished, **done.erased)
        return Erased(rows=sum(done.erased.values()), finished=done.finished)
