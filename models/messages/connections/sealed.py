"""A connection as it is stored."""

from typing import Any

from models.messages.base import Message
from models.providers import ProviderName


class SealedConnection(Message):
    """A connection as it is stored: `settings` are one of the classes above as JSON, `sealed` opens with our keys only."""

    provider: ProviderName
    settings: dict[str, Any]
    sealed: str
    partner_id: str | None = None
    version: int = 1
