"""API keys: scopes, and who holds which."""

from datetime import datetime
from typing import Literal, Self, get_args

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from api.schemas.values import Body, Line, Out, example, id_pattern
from core.ids import PARTNER
from models.tables.security import ApiKey

Scope = Literal[
    "partners:read", "partners:write", "wallets:read", "wallets:credit", "disbursements:read", "disbursements:write",
    "disbursements:resolve", "top-ups:read", "top-ups:write", "top-ups:resolve", "float-purchases:read",
    "float-purchases:write", "float-purchases:resolve", "collections:read", "collections:write", "collections:resolve",
    "admin",
]  # fmt: skip

# Never for a partner's own key: it could lend itself money, say that money came which did not, have costs given back that
# were spent, or make keys for others.
HOUSE_ONLY = frozenset({"admin", "wallets:credit", "top-ups:resolve", "float-purchases:resolve"})

_KEY = {
    "id": "key_01ktv0r5m8e9a7d3c2b4x6y8z0", "name": "loan app", "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0",
    "scopes": ["disbursements:read", "disbursements:write"], "prefix": "7h2k9mqx",
    "created_at": "2026-11-21T06:14:03Z", "created_by": "key_01ktv0q000000000000000000z", "last_used_at": None,
    "revoked_at": None,
}  # fmt: skip


class KeyNew(Body):
    """A new key. With a partner it sees that partner alone; the scope `admin` stands for all others."""

    model_config = example(
        name="loan app", partner_id="prt_01ktv0r5m8e9a7d3c2b4x6y8z0",
        scopes=["disbursements:read", "disbursements:write"],
    )  # fmt: skip

    name: Line
    partner_id: str | None = Field(default=None, strict=True, pattern=id_pattern(PARTNER))
    scopes: list[Scope] = Field(min_length=1, max_length=len(get_args(Scope)))

    @field_validator("scopes")
    @classmethod
    def _each_once(cls, value: list[Scope]) -> list[Scope]:
        if len(set(value)) != len(value):
            raise PydanticCustomError("repeated", "Name each scope once")
        return sorted(value)


class KeyOut(Out):
    """A key without the key itself; `prefix` tells which one it is."""

    model_config = example(**_KEY)

    id: str
    name: str
    partner_id: str | None
    scopes: list[str]
    prefix: str
    created_at: datetime
    created_by: str
    last_used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, row: ApiKey) -> Self:
        return cls.model_validate(row, from_attributes=True)


class KeyMade(KeyOut):
    """A new key. It is shown this once; only its hash is kept."""

    model_config = example(**_KEY, key="kvk_7h2k9mqx_…")

    key: str
