"""The API's own description of itself, as many tests read it."""

import copy
from functools import cache
from typing import Any

from api.app import create_app
from core.settings import Settings


def document() -> dict[str, Any]:
    """A copy of one's own of what is made once a process: it takes a second, and every process that collects tests asks."""
    return copy.deepcopy(_made())


@cache
def _made() -> dict[str, Any]:
    return create_app(Settings(_env_file=None, environment="test")).openapi()
