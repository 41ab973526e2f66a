"""How often a source may try keys that are none: a guess costs us a look-up, and a flood of them would cost everybody."""

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv6Address, ip_network
from typing import Final

from core.addresses import parsed
from core.errors import Throttled

_MOST_SOURCES: Final = 10_000
_MOST_KEYS: Final = 10_000


class WrongKeys:
    """A bucket per source address in this process, of a bounded number of sources: the longest unheard is forgotten.

    A key that was right before is let through even from a source that guesses: lenders behind one address translation are
    not locked out by a stranger behind the same one.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_second, self._clock = float(per_minute), per_minute / 60, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._right: OrderedDict[str, None] = OrderedDict()

    def admit(self, source: str | None, key_hash: str) -> None:
        """Before a key is looked up. Raises Throttled for a source that has guessed too often."""
        if key_hash in self._right:
            return
        tokens, _ = self._now(network_of(source))
        if tokens < 1:
            raise Throttled(
                "Too many wrong API keys came from this address.",
                code="too_many_wrong_keys",
                retry_after=timedelta(seconds=(1 - tokens) / self._per_second),
            )

    def was_right(self, key_hash: str) -> None:
        self._right[key_hash] = None
        self._right.move_to_end(key_hash)
        if len(self._right) > _MOST_KEYS:
            self._right.popitem(last=False)

    def was_wrong(self, source: str | None, key_hash: str) -> None:
        """Also forgets a key that was right before: it has been revoked."""
        self._right.pop(key_hash, None)
        name = network_of(source)
        tokens, now = self._now(name)
        self._buckets[name] = (max(0.0, tokens - 1), now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > _MOST_SOURCES:
            self._buckets.popitem(last=False)

    def _now(self, name: str) -> tuple[float, float]:
        now = self._clock()
        tokens, since = self._buckets.get(name, (self._burst, now))
        return min(self._burst, tokens + (now - since) * self._per_second), now


def network_of(source: str | None) -> str:
    """Whoever has one IPv6 address has a /64 of them."""
    address = parsed(source or "")
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)
