"""One command for many sagas: what its workflow and its activity say to each other. The rows are the record."""

from typing import Final, Literal

from models.messages.base import Message

BulkCommand = Literal["retry", "cancel"]

# The update that each command sends to a saga.
UPDATES: Final[dict[BulkCommand, str]] = {"retry": "retry", "cancel": "cancel_request"}
MOST_ITEMS: Final = 500
AT_ONCE: Final = 20


class RunBulkAction(Message):
    """Which bulk action is to go on."""

    bulk_id: str


class ChunkDone(Message):
    """`left` items have no result yet; `pause`: all of these were tried and did not answer, so wait before the next try."""

    left: int
    pause: bool = False
