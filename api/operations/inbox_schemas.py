"""Providers' messages as the API shows them: never what came, which is sealed."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from models.messages.inbound import Outcome
from models.tables.platform.traffic import InboxItem


class InboxItemOut(BaseModel):
    """One message. `kind` and `outcome` say what was made of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "inb_01ktv9b1zq8h3m5n7p9r1s3t5v",
                    "provider": "daraja",
                    "endpoint": "daraja.confirmation",
                    "kind": "payment",
                    "outcome": "taken",
                    "partner_id": "prt_01ktv9b1zq8h3m5n7p9r1s3t5v",
                    "copies": 1,
                    "received_at": "2026-11-21T09:14:55Z",
                }
            ]
        }
    )

    id: str
    provider: str
    endpoint: str | None
    kind: str
    outcome: Outcome
    partner_id: str | None
    copies: int
    received_at: datetime

    @classmethod
    def of(cls, row: InboxItem) -> Self:
        return cls.model_validate(row, from_attributes=True)
