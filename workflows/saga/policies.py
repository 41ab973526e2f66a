"""Every timeout and retry of every activity, named. What a saga waits for (minutes, days) travels in its input instead:
see `models/messages/saga/policies.py`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from temporalio.common import RetryPolicy

from temporal.queues import FLOWS_QUEUE, queue_of

FINERACT_QUEUE: Final = queue_of("fineract")
MPESA_QUEUE: Final = queue_of("daraja")
BANK_QUEUE: Final = queue_of("bank")

AT_ONCE: Final = timedelta(milliseconds=1)  # a timer must run, however late it is


@dataclass(frozen=True, slots=True)
class ActivityPolicy:
    """How one kind of activity is run."""

    task_queue: str
    start_to_close: timedelta
    retry: RetryPolicy
    schedule_to_close: timedelta | None = None
    # A worker that is silent for this long is taken for dead (activities/heartbeats.py beats in between).
    heartbeat: timedelta = timedelta(seconds=10)

    def options(self, *, schedule_to_close: timedelta | None = None) -> dict[str, Any]:
        return {
            "task_queue": self.task_queue,
            "start_to_close_timeout": self.start_to_close,
            "schedule_to_close_timeout": schedule_to_close or self.schedule_to_close,
            "heartbeat_timeout": self.heartbeat,
            "retry_policy": self.retry,
        }


def _for_ever(longest: timedelta) -> RetryPolicy:
    return RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=longest)


def _times(attempts: int) -> RetryPolicy:
    return RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_attempts=attempts)


# Our own database: it must succeed in the end, and saying it again is harmless (keys, ON CONFLICT).
BOOKS: Final = ActivityPolicy(FLOWS_QUEUE, timedelta(seconds=30), _for_ever(timedelta(seconds=30)))

# Reading Fineract and holding charges; the saga itself goes on trying after these.
RESERVE: Final = ActivityPolicy(FINERACT_QUEUE, timedelta(seconds=90), _times(4))


# A payout or a prompt: exactly one attempt. Temporal would show the workflow only the last error and hide a doubtful one.
def send_by(provider: str) -> ActivityPolicy:
    return ActivityPolicy(queue_of(provider), timedelta(seconds=75), RetryPolicy(maximum_attempts=1))


# A query moves nothing; no answer is no harm, since the saga asks again on its own schedule.
def query_by(provider: str) -> ActivityPolicy:
    return ActivityPolicy(queue_of(provider), timedelta(seconds=75), _times(3), schedule_to_close=timedelta(minutes=5))


# Looking up a customer's account; how long before a person is told is the saga's policy.
LOOK_UP: Final = ActivityPolicy(FINERACT_QUEUE, timedelta(seconds=60), _for_ever(timedelta(seconds=30)))

# M-Pesa waits about eight seconds for the answer to a validation (daraja.md 5): one quick try.
VALIDATE: Final = ActivityPolicy(
    FINERACT_QUEUE,
    timedelta(seconds=5),
    _times(1),
    schedule_to_close=timedelta(seconds=5),
    heartbeat=timedelta(seconds=3),
)

# Pulling the list of payments that came in: the next pull overlaps with this one.
PULL: Final = ActivityPolicy(MPESA_QUEUE, timedelta(minutes=5), _times(3), schedule_to_close=timedelta(minutes=15))
PULL_BANK: Final = ActivityPolicy(BANK_QUEUE, timedelta(minutes=5), _times(3), schedule_to_close=timedelta(minutes=15))

# Comparing a hundred rows of a day with Fineract: what could not be asked for is asked for by the next run.
COMPARE: Final = ActivityPolicy(
    FINERACT_QUEUE, timedelta(minutes=5), _times(3), schedule_to_close=timedelta(minutes=15)
)

# Posting back re-reads after every doubtful answer, so it may be repeated; how long is the saga's policy.
POST: Final = ActivityPolicy(FINERACT_QUEUE, timedelta(seconds=120), _for_ever(timedelta(minutes=1)))

# One poll: the next one comes anyway.
WATCH: Final = ActivityPolicy(FINERACT_QUEUE, timedelta(minutes=5), _times(2), schedule_to_close=timedelta(minutes=12))

# A look at one loan that a hook told of: the poll finds it as well.
LOOK_AT_LOAN: Final = ActivityPolicy(
    FINERACT_QUEUE, timedelta(seconds=60), _times(5), schedule_to_close=timedelta(minutes=5)
)

# A confirmation that nobody else would send: tried for a day, since the hook that asked for it comes once.
TELL: Final = ActivityPolicy(
    FINERACT_QUEUE, timedelta(minutes=2), _for_ever(timedelta(minutes=10)), schedule_to_close=timedelta(days=1)
)

# Sweeps of our own tables on a schedule.
SWEEP: Final = ActivityPolicy(FLOWS_QUEUE, timedelta(minutes=5), _times(2), schedule_to_close=timedelta(minutes=12))

# A few commands to sagas, each of which may take ten seconds to be taken; done again until the rows say that it is over.
BULK: Final = ActivityPolicy(FLOWS_QUEUE, timedelta(minutes=2), _for_ever(timedelta(seconds=30)))

# Before sagas that did not answer are asked again.
BULK_PAUSE: Final = timedelta(seconds=5)

# Someone waits at the API for this answer, so it is one quick try.
CHECK: Final = ActivityPolicy(FINERACT_QUEUE, timedelta(seconds=40), _times(1))
REGISTER: Final = ActivityPolicy(MPESA_QUEUE, timedelta(seconds=40), _times(1))
