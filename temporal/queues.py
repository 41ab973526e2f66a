"""Task queues: one for the sagas and our own books, one per rate-limited provider."""

from collections.abc import Iterable
from typing import Final

from models.providers import PROVIDERS

FLOWS: Final = "flows"
FLOWS_QUEUE: Final = f"kivuko-{FLOWS}"

# The words by which settings and commands name the task queues, the sagas' first.
QUEUE_WORDS: Final = (FLOWS, *dict.fromkeys(provider.queue for provider in PROVIDERS))
# What is no task queue and yet a worker process may serve: SMS and email leave the outbox in it.
MESSAGES: Final = "messages"
SERVED: Final = (*QUEUE_WORDS, MESSAGES)


def queue_of(provider: str) -> str:
    """The task queue that serves a provider of this name. Raises LookupError."""
    return f"kivuko-{next(one.queue for one in PROVIDERS if one.name == provider)}"


def queues_named(words: Iterable[str]) -> list[str]:
    """The words of what a process is to serve, all if it names none. Raises ValueError for one that there is not."""
    wanted = list(words)
    unknown = sorted(set(wanted) - set(SERVED))
    if unknown:
        raise ValueError(f"no queue is called {', '.join(unknown)}: there are {', '.join(SERVED)}")
    return wanted or list(SERVED)


def task_queue(word: str) -> str:
    """Such as `kivuko-mpesa`."""
    return f"kivuko-{word}"
