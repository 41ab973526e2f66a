"""Who is asking, and what they may do. `Authorization: Bearer kvk_<prefix>_<secret>`; only the key's hash is kept."""

import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Final

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from api.http.dependencies import ServicesDep
from api.http.source_address import source_address
from api.partners.keys_schemas import SCOPES, Scope
from core.clock import utc_now
from core.crypto import sha256_hex
from core.errors import InvalidRequest, NotAllowed, NotFound
from core.ids import API_KEY, new_id
from models.kinds import PAYOUTS
from models.tables.platform.security import ApiKey, Person
from store.database import Database
from store.platform import api_keys, audit, partners, people

log = structlog.get_logger()

_bearer = HTTPBearer(
    scheme_name="ApiKey",
    bearerFormat="kvk_<prefix>_<secret>",
    description="An API key of the house or of one partner. Made by `POST /api/v1/keys`, shown once.",
    auto_error=False,
)
_BOOTSTRAP: Final = "bootstrap"  # what the installation's first key names as its maker; others name a key's id
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a key, or somebody signed in to the console: of the house (`partner_id` None) or of one partner. `id` is
    the key's or the browser session's.

    `people` are all who could be behind it: its person and the people behind the keys that made it, since a key is shown to
    whoever makes it, who could use it; and so is the invitation by which a person sets a password. So nobody is a second
    person to a key or a person of their own making. The installation's first key is left out, as it makes everybody's first:
    whoever holds it could be anybody, and it belongs in a safe.
    """

    id: str
    partner_id: str | None
    scopes: frozenset[str]
    person_id: str
    people: frozenset[str]
    is_bootstrap: bool = False

    @property
    def is_admin(self) -> bool:
        return "admin" in self.scopes

    def may(self, scope: str) -> bool:
        return self.is_admin or scope in self.scopes

    @property
    def makers(self) -> list[str]:
        """What a key, or an invitation, that this one makes remembers of its making."""
        return [] if self.is_bootstrap else sorted(self.people)

    @property
    def is_of_house(self) -> bool:
        """Whether the key is the platform's own: what only the platform may do asks this."""
        return self.partner_id is None

    def only_platform(self, detail: str) -> None:
        """Raises NotAllowed (code "platform_only") for a partner's key: nobody proves their own money."""
        if not self.is_of_house:
            raise NotAllowed(detail, code="platform_only")

    def sees(self, partner_id: str | None) -> bool:
        """A partner's key sees that partner alone; what belongs to no partner is the house's."""
        return self.partner_id is None or self.partner_id == partner_id

    def visible(self, partner_id: str) -> str:
        """The same id. Raises NotFound for another's partner: its existence is nobody else's business."""
        if not self.sees(partner_id):
            raise NotFound("No partner has that id.", field="partner_id")
        return partner_id

    def for_partner(self, named: str | None) -> str:
        """The partner that a request is for: the one it names, else the key's own. Raises InvalidRequest if neither is
        there, NotFound for another's."""
        partner_id = named or self.partner_id
        if partner_id is None:
            raise InvalidRequest(
                "Name the partner; this key belongs to no partner.", code="missing", field="partner_id"
            )
        return self.visible(partner_id)


def new_key() -> tuple[str, str]:
    """A fresh key and its prefix, which names it in lists and is no part of the secret."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"kvk_{prefix}_{secrets.token_urlsafe(32)}", prefix


def prefix_of(key: str) -> str:
    """The public part of a key in our form; a key of another form shows nothing of itself."""
    parts = key.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] == "kvk" and len(parts[1]) <= 16 else "given"


async def authenticate(
    request: Request,
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Principal:
    """401 without a living key; 429 if the key asks too often, or its source has tried too many that are none; 403 for a
    change by a suspended partner's key."""
    if credentials is None:
        raise _unauthenticated("Give an API key: Authorization: Bearer kvk_…")
    key = credentials.credentials
    key_hash, source = hash_of(key), source_address(request, services.settings.callbacks)
    services.wrong_keys.admit(source, key_hash)
    principal = await principal_of(services.database, key)
    if principal is None:
        services.wrong_keys.was_wrong(source, key_hash)
        raise _unauthenticated("The API key is unknown or revoked.")
    services.wrong_keys.was_right(key_hash)
    services.rate.take(principal.id)
    if principal.partner_id is not None and request.method not in _READS:
        async with services.database.transaction() as session:
            # A suspended partner reads, and its running sagas end; it changes nothing.
            await partners.active(session, principal.partner_id)
    return principal


def hash_of(key: str) -> str:
    return sha256_hex(key.encode(errors="replace"))


async def principal_of(database: Database, key: str) -> Principal | None:
    async with database.transaction() as session:
        row = await api_keys.by_hash(session, hash_of(key))
        if row is None:
            return None
        await api_keys.touch(session, row)
    return Principal(
        row.id,
        row.partner_id,
        frozenset(row.scopes),
        row.person_id,
        frozenset({row.person_id, *row.makers}),
        is_bootstrap=row.created_by == _BOOTSTRAP,
    )


def principal_of_person(session_id: str, person: Person) -> Principal:
    """Somebody who signed in: with the scopes that they have now, whatever they had when they did."""
    return Principal(
        session_id, person.partner_id, frozenset(person.scopes), person.id, frozenset({person.id, *person.makers})
    )


def are_different(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether an act by these people and one by those are two people's: no one is behind both."""
    return frozenset(some).isdisjoint(others)


def need(scope: Scope) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency: the principal, if its key has the scope; 403 otherwise. Raises ValueError for a scope that no key can
    have."""
    if scope not in SCOPES:
        raise ValueError(f"{scope} is no scope")

    async def check(principal: Annotated[Principal, Depends(authenticate)]) -> Principal:
        if not principal.may(scope):
            raise NotAllowed(f"The key lacks the scope {scope}.", code="scope_missing", scope=scope)
        return principal

    return check


Anyone = Annotated[Principal, Depends(authenticate)]
Admin = Annotated[Principal, Depends(need("admin"))]
PartnerReader = Annotated[Principal, Depends(need("partners:read"))]
PartnerWriter = Annotated[Principal, Depends(need("partners:write"))]
WalletReader = Annotated[Principal, Depends(need("wallets:read"))]
WalletCreditor = Annotated[Principal, Depends(need("wallets:credit"))]
# Also for what belongs to no saga: cases, reports, exchanges with providers.
DisbursementReader = Annotated[Principal, Depends(need(PAYOUTS.scope("read")))]


async def ensure_bootstrap_key(database: Database, key: str) -> None:
    """The installation's first admin key, as given in the settings; once revoked it stays revoked."""
    row = ApiKey(
        id=new_id(API_KEY),
        name="bootstrap",
        partner_id=None,
        scopes=["admin"],
        prefix=prefix_of(key),
        hash=sha256_hex(key),
        created_at=utc_now(),
        created_by=_BOOTSTRAP,
        person_id=people.INSTALLATION,
    )
    async with database.transaction() as session:
        await people.ensure_installation(session)
        if await api_keys.ensure(session, row):
            after = {"name": row.name, "scopes": row.scopes}
            await audit.write(session, actor=_BOOTSTRAP, action="keys.create", subject=row.id, after=after)
            log.info("bootstrap_key_added", key_id=row.id)


def _unauthenticated(detail: str) -> HTTPException:
    return HTTPException(401, detail, headers={"WWW-Authenticate": 'Bearer realm="kivuko"'})
