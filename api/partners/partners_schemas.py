"""Partners, as callers give and see them."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from api.http.values import Body, Currency, Line, MoneyIn, MoneyOut, Out, PhoneText, Prose, Timezone, example
from api.partners.bank_schemas import BankIn
from api.partners.connections_schemas import ConnectionIn, ConnectionOut, DarajaIn, FineractIn
from core.money import Money
from core.msisdn import Msisdn
from models.tables.platform.connection import Connection
from models.tables.platform.contact import Contact
from models.tables.platform.partner import Partner

Language = Literal["en", "sw"]
Email = Annotated[
    str,
    StringConstraints(
        strict=True, max_length=254, pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~\-]+@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)+$"
    ),
]


class ContactIn(Body):
    """A person whom we tell things; an `authorised` one may also confirm with one-time codes."""

    model_config = example(
        name="Grace Njeri", phone="+254711000222", email="grace@example.com", role="authorised", language="en"
    )

    name: Line
    phone: PhoneText | None = Field(
        default=None, description="+254711000222, or as the partner's country writes it", examples=["+254711000222"]
    )
    email: Email | None = None
    role: Literal["notify", "authorised"] = "notify"
    language: Language | None = Field(default=None, description="Of the messages; without one, the partner's")
    evidence: Prose | None = Field(
        default=None, description="Why this person may confirm purchases; a second person reads it and agrees"
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.phone is None and self.email is None:
            raise PydanticCustomError("unreachable", "Give a phone number or an email address")
        return self


class ContactOut(Out):
    """A contact; the phone number is masked. A `proposed` one is told nothing and confirms nothing until a second person
    agrees to `approval_id`."""

    model_config = example(
        id="cnt_01ktv0r5m8e9a7d3c2b4x6y8z0", name="Grace Njeri", phone="+2547•••••222", email="grace@example.com",
        role="authorised", language="en", state="active", approval_id=None,
    )  # fmt: skip

    id: str
    name: str
    phone: str | None
    email: str | None
    role: str
    language: str
    state: Literal["active", "proposed"]
    approval_id: str | None

    @classmethod
    def of(cls, row: Contact, approval_id: str | None = None) -> Self:
        plain = {name: getattr(row, name) for name in ("id", "name", "email", "role", "language", "state")}
        phone = Msisdn(row.phone).masked if row.phone else None
        return cls.model_validate({**plain, "phone": phone, "approval_id": approval_id})


class PartnerNew(Body):
    """A partner. Each connection that is given is tried before anything is stored."""

    model_config = example(
        name="Jaza Sacco", currency="KES", country="KE", timezone="Africa/Nairobi", language="en",
        low_balance={"amount": "5000.00", "currency": "KES"},
        fineract={
            "base_url": "https://bank.example/fineract-provider/api", "username": "kivuko", "password": "…",
        },
        contacts=[{"name": "Grace Njeri", "phone": "+254711000222", "role": "authorised"}],
    )  # fmt: skip

    name: Line
    currency: Currency = "KES"
    country: str = Field(default="KE", strict=True, pattern=r"^[A-Z]{2}$", description="ISO 3166")
    timezone: Timezone = "Africa/Nairobi"
    language: Language = "en"
    low_balance: MoneyIn | None = Field(default=None, description="Below this the partner is alerted")
    fineract: FineractIn | None = None
    daraja: DarajaIn | None = None
    bank: BankIn | None = None
    contacts: list[ContactIn] = Field(default=[], max_length=20)

    @property
    def connections(self) -> list[ConnectionIn]:
        """Those that are given."""
        return [given for given in (self.fineract, self.daraja, self.bank) if given is not None]


class PartnerChange(Body):
    """What is left out stays as it is. `name` and `status` are for admin keys alone."""

    model_config = example(language="sw", low_balance={"amount": "10000.00", "currency": "KES"})

    name: Line | None = None
    status: Literal["active", "suspended"] | None = None
    timezone: Timezone | None = None
    language: Language | None = None
    low_balance: MoneyIn | None = None


class PartnerOut(Out):
    """A partner."""

    model_config = example(
        id="prt_01ktv0r5m8e9a7d3c2b4x6y8z0", name="Jaza Sacco", currency="KES", country="KE",
        timezone="Africa/Nairobi", language="en", status="active",
        low_balance={"amount": "5000.00", "currency": "KES"}, created_at="2026-11-21T06:14:03Z",
    )  # fmt: skip

    id: str
    name: str
    currency: str
    country: str
    timezone: str
    language: str
    status: str
    low_balance: MoneyOut
    created_at: datetime

    @classmethod
    def of(cls, row: Partner) -> "PartnerOut":
        return PartnerOut(
            id=row.id,
            name=row.name,
            currency=row.currency,
            country=row.country,
            timezone=row.timezone,
            language=row.language,
            status=row.status,
            low_balance=MoneyOut.of(Money(row.low_balance_minor, row.currency)),
            created_at=row.created_at,
        )


class PartnerDetail(PartnerOut):
    """A partner with its connections (never their secrets) and its contacts."""

    connections: list[ConnectionOut]
    contacts: list[ContactOut]

    @classmethod
    def whole(cls, row: Partner, connections: list[Connection], contacts: list[Contact]) -> Self:
        return cls(
            **PartnerOut.of(row).model_dump(exclude={"low_balance"}),
            low_balance=MoneyOut.of(Money(row.low_balance_minor, row.currency)),
            connections=[ConnectionOut.of(connection) for connection in connections],
            contacts=[ContactOut.of(contact) for contact in contacts],
        )
