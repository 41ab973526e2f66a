"""A posting that fails for now is shown while it is tried again: which try, why in plain words, when next.

The saga itself learns of it only when its patience ends; until then Temporal repeats the step, and nobody outside would see.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from temporalio import activity

from core.clock import utc_now
from core.errors import KivukoError, Rejected
from store.database import Database
from store.saga import saga_rows, timeline

# How the step is repeated (workflows/saga/policies.py, POST): a second, two, four … a minute.
_LONGEST_WAIT: Final = timedelta(minutes=1)


@asynccontextmanager
async def shown(database: Database, workflow_id: str, key: str, what: str) -> AsyncIterator[None]:
    """Around the call that posts. `what` begins the sentence: "Fineract has not booked the disbursement"."""
    try:
        yield
    except Rejected:
        raise  # the saga hears of it at once, and says so itself
    except KivukoError as error:
        number = activity.info().attempt
        again = utc_now() + min(timedelta(seconds=2 ** min(number - 1, 10)), _LONGEST_WAIT)
        text = f"{what}: {error.detail} (try {number}, next at {again:%H:%M:%S} UTC)"
        async with database.transaction() as session:
            await saga_rows.tried(session, workflow_id, code=error.code, reason=text, again_at=again)
            if number & (number - 1) == 0 and number > 1:  # the 2nd, 4th, 8th … try: a log that stays readable
                await timeline.write(
                    session, workflow_id, f"{key}:try:{number}", text, tone="warning", code=error.code
                )  # fmt: skip
        raise
