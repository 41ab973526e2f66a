"""How somebody proves who they are: password and a code of their phone; slowed down when it is wrong."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from fastapi import Request
from sqlmodel.ext.asyncio.session import AsyncSession

from api.console import cookies
from api.console.visitors import lifetime
from api.http.dependencies import Services
from api.http.source_address import source_address
from api.http.wrong_keys import network_of
from core import passwords, phone_codes
from core.clock import utc_now
from core.crypto import sha256_hex
from core.errors import NotAllowed
from models.tables.platform.security import Person
from models.tables.platform.signing_in import BrowserSession
from store.platform import audit, browser_sessions, people, sign_in_failures
from store.platform.browser_sessions import Proof

log = structlog.get_logger()

_WRONG: Final = "Address, password or code are wrong."


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that has begun, and the cookie that it is known by."""

    row: BrowserSession
    token: str


def needs_code(services: Services) -> bool:
    """On a developer's machine nobody wants to look at a phone."""
    return services.settings.environment != "local"


async def sign_in(services: Services, request: Request, *, email: str, password: str, code: str) -> Begun:
    """Raises NotAllowed (code "wrong_credentials", the same whatever was wrong, after the same time), Throttled (code
    "too_many_tries")."""
    now = utc_now()
    tries = Tries.of(services, request, email)
    await tries.count_first(services, now)
    async with services.database.transaction() as session:
        person = await people.of_email(session, email)
    known = person if person is not None and person.disabled_at is None else None
    right = await is_right(services, password, known.password_hash if known else None)
    step = _step(services, known, code, now)
    if known is None or not right or (step is None and needs_code(services)):
        log.warning("sign_in_refused")
        raise NotAllowed(_WRONG, code="wrong_credentials")
    async with services.database.transaction() as session:
        # As it is now: meanwhile the password may have been changed, the person shut out, the code used.
        row = await people.get(session, known.id, for_update=True)
        if row is None or row.disabled_at is not None or row.password_hash != known.password_hash:
            raise NotAllowed(_WRONG, code="wrong_credentials")
        if step is not None and not await people.use_step(session, row.id, step):
            raise NotAllowed(_WRONG, code="wrong_credentials")
        await sign_in_failures.was_right(session, tries.email, tries.network, now)
        begun = await begin(session, services, request, row, "password" if step is None else "password_and_code", now)
    if passwords.is_outdated(known.password_hash or ""):
        await _hash_anew(services, known, password)
    return begun


async def begin(
    session: AsyncSession, services: Services, request: Request, person: Person, proof: Proof, now: datetime
) -> Begun:
    """A new session with a new cookie, whatever cookie the browser brought: that one's session ends. Recorded."""
    if (old := cookies.read(request, services.settings)) is not None:
        found = await browser_sessions.find(session, old, now)
        if found is not None:
            await browser_sessions.end(session, found[0].id, now, "signed_in_again")
    row, token = await browser_sessions.begin(session, person.id, proof, lifetime(services.settings), now)
    await audit.write(session, actor=row.id, action="sessions.begin", subject=person.id, after={"proven_by": proof})
    return Begun(row, token)


async def prove_again(services: Services, request: Request, person: Person, password: str) -> None:
    """Whoever changes how they sign in says their password once more. Raises NotAllowed (code "wrong_password"), Throttled
    (code "too_many_tries")."""
    now, tries = utc_now(), Tries.of(services, request, person.email or person.id)
    await tries.count_first(services, now)
    if not await is_right(services, password, person.password_hash):
        raise NotAllowed("The password is wrong.", code="wrong_password", field="password")
    async with services.database.transaction() as session:
        await sign_in_failures.was_right(session, tries.email, tries.network, now)


async def is_right(services: Services, password: str, stored: str | None) -> bool:
    """Takes as long for nobody as for somebody."""
    async with services.password_checks:
        return await asyncio.to_thread(passwords.is_right, password, stored)


async def hashed(services: Services, password: str) -> str:
    async with services.password_checks:
        return await asyncio.to_thread(passwords.hashed, password)


@dataclass(frozen=True, slots=True)
class Tries:
    """Whose failures a try counts for: the address that was typed, and the network that it came from."""

    email: str
    network: str

    @classmethod
    def of(cls, services: Services, request: Request, email: str) -> "Tries":
        source = source_address(request, services.settings.callbacks)
        return cls(f"email:{sha256_hex(email.strip().lower().encode(errors='replace'))}", f"from:{network_of(source)}")

    async def count_first(self, services: Services, now: datetime) -> None:
        limits = {self.email: sign_in_failures.OF_AN_EMAIL, self.network: sign_in_failures.OF_A_NETWORK}
        async with services.database.transaction() as session:
            await sign_in_failures.count_first(session, limits, now)


def _step(services: Services, person: Person | None, code: str, now: datetime) -> int | None:
    if person is None or person.totp_sealed is None or not code:
        return None
    return phone_codes.step_of(services.box.open(person.totp_sealed), code, now)


async def _hash_anew(services: Services, person: Person, password: str) -> None:
    """The hash costs more today than when it was made. Unless the password was changed meanwhile."""
    anew = await hashed(services, password)
    async with services.database.transaction() as session:
        row = await people.get(session, person.id, for_update=True)
        if row is not None and row.password_hash == person.password_hash:
            await people.change(session, row.id, password_hash=anew)
