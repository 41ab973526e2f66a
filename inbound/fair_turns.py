"""Turns that are given round robin over keys, so that whoever asks for four hundred waits for itself alone."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairTurns:
    """`at_once` turns for all, `per_key` for one; of one key `waiting` may queue, the next is not admitted."""

    def __init__(self, at_once: int, per_key: int, *, waiting: int = 10_000) -> None:
        self._at_once, self._per_key, self._most_waiting = at_once, per_key, waiting
        self._running: Counter[str] = Counter()
        # The first key is the one whose turn is next.
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[bool]:
        """True inside a turn; False, at once and without one, if too many of this key wait."""
        queue = self._queues.setdefault(key, deque())
        if len(queue) >= self._most_waiting:
            yield False
            return
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(ready)
        self._give()
        try:
            await ready
        except asyncio.CancelledError:
            if ready.done() and not ready.cancelled():
                self._done(key)  # the turn was given as the wait was cancelled
            else:
                queue.remove(ready)
                self._give()
            raise
        try:
            yield True
        finally:
            self._done(key)

    def _done(self, key: str) -> None:
        self._running[key] -= 1
        if not self._running[key]:
            del self._running[key]
        self._give()

    def _give(self) -> None:
        """As many turns as there are; a key that got one goes behind the others."""
        passed_over = 0
        while self._queues and passed_over < len(self._queues) and self._running.total() < self._at_once:
            key, queue = next(iter(self._queues.items()))
            self._queues.move_to_end(key)
            if not queue:
                del self._queues[key]
            elif self._running[key] >= self._per_key:
                passed_over += 1
            else:
                self._running[key] += 1
                queue.popleft().set_result(None)
                passed_over = 0
