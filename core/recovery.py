"""Times of which our own rows may be missing, because the database was restored to an earlier moment.

Whoever restores it says so in the settings. What a saga wanted within such a time may have left although no row of it is
there: a missing row then proves nothing.
"""

from collections.abc import Sequence
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator


class RecoveryWindow(BaseModel):
    """From the moment that the database was restored to, until the last writer before the restore had stopped."""

    model_config = ConfigDict(frozen=True)

    since: AwareDatetime
    until: AwareDatetime

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until < self.since:
            raise ValueError("a recovery window ends after it begins")
        return self


def rows_may_be_missing(windows: Sequence[RecoveryWindow], begun_at: AwareDatetime) -> bool:
    """Whether rows of what was begun at this moment may have been lost in a restore."""
    return any(window.since <= begun_at <= window.until for window in windows)
