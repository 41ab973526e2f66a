"""Waiting for something that happens elsewhere, without a sleep that is always too long or too short."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any


async def eventually(predicate: Callable[[], Any], timeout: float = 30) -> Any:
    """The first truthy answer of `predicate` (sync or async), asked every 20 ms. AssertionError after `timeout` s."""
    deadline = time.monotonic() + timeout
    while True:
        answer = predicate()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {timeout:g} s: {inspect.getsource(predicate).strip()}")
        await asyncio.sleep(0.02)
