"""API keys: scopes, and who holds which."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from api.http.values import Body, Line, Out, example, id_pattern
from core.errors import InvalidRequest
from core.ids import PARTNER, PERSON
from models.kinds import KINDS, VERBS
from models.tables.platform.security import ApiKey

SCOPES: Final = (
    "partners:read", "partners:write", "wallets:read", "wallets:credit",
    *(kind.scope(verb) for kind in KINDS for verb in VERBS),
    "phones:read", "admin",
)  # fmt: skip

if TYPE_CHECKING:
    Scope = str  # a type checker cannot read a list that is made
else:
    Scope = Literal[SCOPES]

# Never for a partner's own key or person: they could lend themselves money, say that money came which did not, have costs
# given back that were spent, or make keys for others.
HOUSE_ONLY: Final = frozenset(
    {"admin", "wallets:credit", *(kind.scope("resolve") for kind in KINDS if not kind.partner_may_resolve)}
)


def _each_once(value: list[Scope]) -> list[Scope]:
    if len(set(value)) != len(value):
        raise PydanticCustomError("repeated", "Name each scope once")
    return sorted(value)


Scopes = Annotated[list[Scope], Field(max_length=len(SCOPES)), AfterValidator(_each_once)]


def refuse_house_scopes(partner_id: str | None, scopes: Iterable[str]) -> None:
    """Raises InvalidRequest (code "house_only_scope") for what nothing and nobody of a partner may do."""
    forbidden = HOUSE_ONLY.intersection(scopes)
    if partner_id and forbidden:
        raise InvalidRequest(
            f"A partner's key or person may not have the scope {min(forbidden)}.",
            code="house_only_scope",
            field="scopes",
        )


_KEY = {
    "id": "key_01ktv0r5m8e9a7d3c2b4x6y8z0", "name": "loan app", "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0",
    "scopes": ["disbursements:read", "disbursements:write"], "prefix": "7h2k9mqx",
    "person_id": "psn_01ktv0r5m8e9a7d3c2b4x6y8z0", "makers": [],
    "created_at": "2026-11-21T06:14:03Z", "created_by": "key_01ktv0q000000000000000000z", "last_used_at": None,
    "revoked_at": None,
}  # fmt: skip


class KeyNew(Body):
    """A new key. With a partner it sees that partner alone; the scope `admin` stands for all others.

    It is the key of `person`, or of `new_person`, who is made with it; without either, of the person who makes it. All
    keys of one person are one where two people are needed, and so is a key that one of them made.
    """

    model_config = example(
        name="loan app", partner_id="prt_01ktv0r5m8e9a7d3c2b4x6y8z0",
        scopes=["disbursements:read", "disbursements:write"],
    )  # fmt: skip

    name: Line
    partner_id: str | None = Field(default=None, strict=True, pattern=id_pattern(PARTNER))
    person: str | None = Field(default=None, strict=True, pattern=id_pattern(PERSON), description="Whose key it is")
    new_person: Line | None = Field(default=None, description="The name of a person who is not known yet")
    scopes: Scopes = Field(min_length=1)

    @model_validator(mode="after")
    def _one_person(self) -> Self:
        if self.person is not None and self.new_person is not None:
            raise PydanticCustomError("two_people", "Name a person, or a new one; not both")
        return self


class KeyOut(Out):
    """A key without the key itself; `prefix` tells which one it is. `makers`: the people behind the keys that made it."""

    model_config = example(**_KEY)

    id: str
    name: str
    partner_id: str | None
    scopes: list[str]
    prefix: str
    person_id: str
    makers: list[str]
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
