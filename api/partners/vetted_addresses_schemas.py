"""Addresses that the platform has vetted."""

from datetime import datetime
from typing import Self

from api.http.values import Body, Note, Out, example
from models.providers import VettableName
from models.tables.platform.claims import VettedAddress

_ROW = {
    "provider": "fineract", "server": "mifos.jaza.example", "note": "seen at their office, 21 November",
    "vetted_by": "key_01ktv0q000000000000000000z", "vetted_at": "2026-11-21T06:14:03Z",
}  # fmt: skip


class VetIn(Body):
    """Why the platform believes that this server is what it seems."""

    model_config = example(note="seen at their office, 21 November")

    note: Note = ""


class VettedOut(Out):
    """A server at which partners may prove connections of their own."""

    model_config = example(**_ROW)

    provider: VettableName
    server: str
    note: str
    vetted_by: str
    vetted_at: datetime

    @classmethod
    def of(cls, row: VettedAddress) -> Self:
        return cls.model_validate(row, from_attributes=True)


class VettedList(Out):
    """Those that were vetted by people; the installation's settings name more."""

    model_config = example(items=[_ROW])

    items: list[VettedOut]
