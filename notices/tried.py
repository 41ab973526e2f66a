"""What each gateway said of a message so far: `<gateway>:<outcome>`, one entry a gateway, kept in `notifications.tried`.

asked         the question is out, or the process that asked died before it wrote the answer down
refused       it will not take the message
unclear       it may have taken it
undelivered   it took it, and its final report says that it did not arrive
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

Outcome = Literal["asked", "refused", "unclear", "undelivered"]


def entry(gateway: str, outcome: Outcome) -> str:
    return f"{gateway}:{outcome}"


@dataclass(frozen=True, slots=True)
class Tried:
    """Immutable; `entries` is what the column holds."""

    entries: tuple[str, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> Self:
        return cls(tuple(entries))

    def has(self, gateway: str) -> bool:
        return any(one.partition(":")[0] == gateway for one in self.entries)

    def gateways(self, outcome: Outcome) -> list[str]:
        return [name for name, _, said in (one.partition(":") for one in self.entries) if said == outcome]

    def noted(self, gateway: str, outcome: Outcome) -> Self:
        """With this outcome in place of the gateway's former one."""
        kept = (one for one in self.entries if one.partition(":")[0] != gateway)
        return type(self)((*kept, entry(gateway, outcome)))
