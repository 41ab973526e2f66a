"""A token bucket per API key, or per person signed in, in this process."""

import time
from collections.abc import Callable
from datetime import timedelta

from core.errors import Throttled


class RateLimit:
    """`per_minute` requests, with bursts of a sixth of that. Only authenticated keys and people have a bucket, so there
    are never more buckets than those."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._burst = max(1.0, per_minute / 6)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key_id: str) -> None:
        """Raises Throttled with the time until the next token."""
        now = self._clock()
        tokens, since = self._buckets.get(key_id, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._per_second)
        if tokens < 1:
            self._buckets[key_id] = (tokens, now)
            wait = timedelta(seconds=(1 - tokens) / self._per_second)
            raise Throttled("This key asks too often.", code="rate_limited", retry_after=wait)
        self._buckets[key_id] = (tokens - 1, now)
