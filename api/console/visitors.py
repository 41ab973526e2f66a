"""Who looks at a page: somebody signed in, with what they may do now."""

import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Request

from api.console import cookies
from api.console.wording import Wording, wording
from api.http.auth import Principal, principal_of_person
from api.http.dependencies import ServicesDep
from core.clock import utc_now
from core.errors import NotAllowed
from core.settings import Settings
from models.kinds import SagaKind, Verb
from models.tables.platform.partner import Partner
from models.tables.platform.security import Person
from models.tables.platform.signing_in import BrowserSession
from store.platform import browser_sessions, partners
from store.platform.browser_sessions import Lifetime


class SignInFirst(Exception):
    """Nobody is signed in, or not any more."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody signed in. `zone` is in which times are shown."""

    session: BrowserSession
    person: Person
    principal: Principal
    zone: ZoneInfo

    @property
    def words(self) -> Wording:
        return wording(self.person.language)

    def zone_at(self, partner: Partner | None) -> ZoneInfo:
        """On a page about one lender: their own zone, or the lender's."""
        return self.zone if self.person.timezone or partner is None else ZoneInfo(partner.timezone)

    def may(self, kind: SagaKind, verb: Verb) -> bool:
        return self.principal.may(kind.scope(verb))


def lifetime(settings: Settings) -> Lifetime:
    console = settings.console
    return Lifetime(timedelta(minutes=console.idle_minutes), timedelta(hours=console.session_hours))


async def seen(request: Request, services: ServicesDep) -> Visitor:
    """Raises SignInFirst; Throttled for whoever asks too often."""
    token = cookies.read(request, services.settings)
    if token is None:
        raise SignInFirst
    now = utc_now()
    async with services.database.transaction() as session:
        found = await browser_sessions.find(session, token, now)
        if found is None:
            raise SignInFirst
        row, person = found
        await browser_sessions.touch(session, row, lifetime(services.settings), now)
        timezone = person.timezone
        if timezone is None and person.partner_id is not None:
            timezone = (await partners.get(session, person.partner_id)).timezone
    services.rate.take(person.id)
    visitor = Visitor(row, person, principal_of_person(row.id, person), ZoneInfo(timezone or "UTC"))
    request.state.visitor = visitor
    return visitor


async def acting(request: Request, services: ServicesDep, visitor: Annotated[Visitor, Depends(seen)]) -> Visitor:
    """For what changes something: the form carries the session's own secret. Raises NotAllowed (code "stale_form"), and for
    somebody of a suspended partner."""
    given = (await request.form()).get("csrf")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), visitor.session.csrf.encode()):
        raise NotAllowed("This page is out of date. Open it anew, then try again.", code="stale_form")
    if visitor.principal.partner_id is not None:
        async with services.database.transaction() as session:
            await partners.active(session, visitor.principal.partner_id)
    return visitor


Seen = Annotated[Visitor, Depends(seen)]
Acting = Annotated[Visitor, Depends(acting)]
