"""How far a payment is, in five words that are the same for every kind of saga: what a client's own system branches on. The
stage beside it says it finely, in the kind's own words, and may get new words."""

from typing import Final, Literal

Status = Literal["pending", "processing", "completed", "failed", "cancelled"]

MEANINGS: Final[dict[Status, str]] = {
    "pending": "No money moves yet: it waits for its start, for money, a code, a day or a limit.",
    "processing": "Under way, or looked at by a person. Money may have moved.",
    "completed": "Ended well: the money is where it should be, and booked.",
    "failed": "Ended without success; `stage` and `reason_code` say why, and nothing is left half done.",
    "cancelled": "Ended before any money moved, because somebody withdrew it.",
}

# "merged": the money was booked, by another saga.
COMPLETED: Final = ("completed", "merged")
CANCELLED: Final = ("withdrawn",)
# Before any money moves: what it waits for is money, a person's code, a day or a limit.
PENDING: Final = (
    "requested", "waiting_funds", "waiting_limit", "waiting_date", "waiting_money", "awaiting_code",
)  # fmt: skip
# The money has moved, and the core bank has not booked it yet.
POSTING: Final = ("posting", "post_review")


def status_of(stage: str, *, ended: bool) -> Status:
    """`failed` is any other end: refused, expired, given back, not paid; the reason says which."""
    if not ended:
        return "pending" if stage in PENDING else "processing"
    if stage in COMPLETED:
        return "completed"
    return "cancelled" if stage in CANCELLED else "failed"
