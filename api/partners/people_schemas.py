"""People: who has keys, who may sign in, and what they may do then."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field

from api.http.values import Body, Line, Out, example, id_pattern
from api.partners.keys_schemas import Scopes
from api.partners.partners_schemas import Email, Language
from core.ids import PARTNER
from models.tables.platform.security import Person

# One spelling of each address, as people are found by it.
SignInEmail = Annotated[Email, AfterValidator(str.lower)]

_PERSON: dict[str, Any] = {
    "id": "psn_01ktv0r5m8e9a7d3c2b4x6y8z0", "name": "Grace Njeri", "partner_id": None, "email": "grace@example.com",
    "scopes": ["disbursements:read", "disbursements:resolve"], "language": "en", "may_sign_in": True,
    "has_codes": True, "created_at": "2026-11-21T06:14:03Z", "created_by": "key_01ktv0q000000000000000000z",
    "disabled_at": None,
}  # fmt: skip


class PersonNew(Body):
    """Somebody who will have keys, or sign in. With a partner, somebody of that partner. `scopes` are what they may do once
    they have signed in; their keys have scopes of their own."""

    model_config = example(
        name="Grace Njeri", email="grace@example.com", scopes=["disbursements:read", "disbursements:resolve"]
    )

    name: Line
    partner_id: str | None = Field(default=None, strict=True, pattern=id_pattern(PARTNER))
    email: SignInEmail | None = Field(default=None, description="By which they sign in")
    scopes: Scopes = []
    language: Language = Field(default="en", description="Of the console's pages")


class PersonChange(Body):
    """What is given is changed. Another address ends their sessions and invitations; other scopes count at once."""

    model_config = example(scopes=["disbursements:read"])

    name: Line | None = None
    email: SignInEmail | None = None
    scopes: Scopes | None = None
    language: Language | None = None


class PersonOut(Out):
    """A person, of the house or of one partner. `may_sign_in`: they have a password and are not disabled; `has_codes`: their
    phone shows codes for it."""

    model_config = example(**_PERSON)

    id: str
    name: str
    partner_id: str | None
    email: str | None
    scopes: list[str]
    language: str
    may_sign_in: bool
    has_codes: bool
    created_at: datetime
    created_by: str
    disabled_at: datetime | None

    @classmethod
    def of(cls, row: Person) -> Self:
        return cls(
            id=row.id, name=row.name, partner_id=row.partner_id, email=row.email, scopes=row.scopes,
            language=row.language, may_sign_in=row.password_hash is not None and row.disabled_at is None,
            has_codes=row.totp_sealed is not None, created_at=row.created_at, created_by=row.created_by,
            disabled_at=row.disabled_at,
        )  # fmt: skip


class InvitationOut(Out):
    """Where the person sets a password and reads the secret of the codes into a phone. The address works once, and is shown
    this once: whoever has it can be that person."""

    model_config = example(
        person_id="psn_01ktv0r5m8e9a7d3c2b4x6y8z0", link="https://kivuko.example/console/in/…",
        expires_at="2026-11-24T06:14:03Z",
    )  # fmt: skip

    person_id: str
    link: str
    expires_at: datetime
