"""What the gateways' simulators share: the book of messages taken, and a request that is never answered."""

import asyncio
import math

from fastapi import Request

from core.clock import utc_now
from simulators.books import MESSAGES
from simulators.world import World

# The only API key that the simulated gateways know.
API_KEY = "local-demo"

_LOOK_EVERY_SECONDS = 0.05


def keep_message(
    world: World,
    *,
    channel: str,
    gateway: str,
    to: str,
    text: str,
    message_id: str,
    reference: str | None = None,
    subject: str | None = None,
) -> None:
    """Writes down a message that was taken. `reference` is the caller's id, where the protocol carries one."""
    number = world.documents.next_number("books.messages")
    entry = {
        "channel": channel,
        "gateway": gateway,
        "to": to,
        "text": text,
        "reference": reference,
        "message_id": message_id,
        "at": utc_now().isoformat(),
    }
    if subject is not None:
        entry["subject"] = subject
    world.documents.put(MESSAGES, number, entry)


async def hang(request: Request, seconds: float) -> None:
    """Says nothing until the caller goes away, or for so long."""
    for _ in range(math.ceil(seconds / _LOOK_EVERY_SECONDS)):
        if await request.is_disconnected():
            return
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
