"""API keys: scopes, and who holds which."""

from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from api.http.values import Body, Line, Out, example, id_pattern
from core.ids import PARTNER, PERSON
from models.kinds import KINDS, VERBS
from models.tables.platform.security import ApiKey, Person

SCOPES: Final = (
    "partners:read", "partners:write", "wallets:read", "wallets:credit",
    *(kind.scope(verb) for kind in KINDS for verb in VERBS),
    "phones:read", "admin",
)  # fmt: skip

if TYPE_CHECKING:
    Scope = str  # a type checker cannot read a list that is made
else:
    Scope = Literal[SCOPES]

# Never for a partner's own key: it could lend itself money, say that money came which did not, have costs given back that
# were spent, or make keys for others.
HOUSE_ONLY: Final = frozenset(
    {"admin", "wallets:credit", *(kind.scope("resolve") for kind in KINDS if not kind.partner_may_resolve)}
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
    scopes: list[Scope] = Field(min_length=1, max_length=len(SCOPES))

    @field_validator("scopes")
    @classmethod
    def _each_once(cls, value: list[Scope]) -> list[Scope]:
        if len(set(value)) != len(value):
            raise PydanticCustomError("repeated", "Name each scope once")
        return sorted(value)

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


class PersonNew(Body):
    """Somebody who will have keys. With a partner, somebody of that partner."""

    model_config = example(name="Grace Njeri", partner_id=None)

    name: Line
    partner_id: str | None = Field(default=None, strict=True, pattern=id_pattern(PARTNER))


class PersonOut(Out):
    """A person, of the house or of one partner."""

    model_config = example(
        id="psn_01ktv0r5m8e9a7d3c2b4x6y8z0", name="Grace Njeri", partner_id=None, created_at="2026-11-21T06:14:03Z",
        created_by="key_01ktv0q000000000000000000z",
    )  # fmt: skip

    id: str
    name: str
    partner_id: str | None
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, row: Person) -> Self:
        return cls.model_validate(row, from_attributes=True)
