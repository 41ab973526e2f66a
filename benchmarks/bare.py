"""The floor: workflows that do nothing, on the same server, with no-op activities or none."""

from datetime import timedelta
from typing import Final

from temporalio import activity, workflow

BARE_QUEUE: Final = "kivuko-bench"
_A_MINUTE: Final = timedelta(minutes=1)


@activity.defn(name="bench.nothing")
async def nothing(number: int) -> int:
    return number


@workflow.defn(name="BenchActivities")
class Activities:
    """`count` no-op activities, one after the other."""

    @workflow.run
    async def run(self, count: int) -> int:
        done = 0
        for number in range(count):
            done += await workflow.execute_activity(nothing, number, start_to_close_timeout=_A_MINUTE) >= 0
        return done
