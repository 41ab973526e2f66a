"""The form of what providers say, so that messages can be made of it without knowing the providers."""

from datetime import datetime
from enum import Enum
from typing import Protocol

from core.money import Money


class Said(Protocol):
    """What any provider says of a movement of money: of a prompt (`providers.collecting.AskResult`) no more than this."""

    @property
    def state(self) -> Enum: ...
    @property
    def code(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def provider_reference(self) -> str | None: ...
    @property
    def receipt(self) -> str | None: ...
    @property
    def amount(self) -> Money | None: ...
    @property
    def party_digits(self) -> str | None: ...
    @property
    def happened_at(self) -> datetime | None: ...
