"""People are made with their first key, or before it; changed, invited to sign in, and shut out. Every act is recorded."""

from datetime import timedelta
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal
from api.http.dependencies import Services
from api.partners.keys_schemas import refuse_house_scopes
from api.partners.people_schemas import InvitationOut, PersonChange, PersonNew, PersonOut
from core import phone_codes
from core.clock import utc_now
from core.errors import Conflict, NotFound
from core.ids import PERSON, new_id
from core.settings import Settings
from models.tables.platform.security import Person
from store.platform import audit, browser_sessions, people, sign_in_links


async def person_made(session: AsyncSession, wanted: PersonNew, admin: Principal) -> Person:
    """Raises InvalidRequest (code "house_only_scope"), Conflict (code "email_taken")."""
    refuse_house_scopes(wanted.partner_id, wanted.scopes)
    await _refuse_taken(session, wanted.email)
    row = Person(
        id=new_id(PERSON), name=wanted.name, partner_id=wanted.partner_id, email=wanted.email,
        scopes=list(wanted.scopes), language=wanted.language, created_at=utc_now(), created_by=admin.id,
    )  # fmt: skip
    await people.add(session, row)
    await audit.write(session, actor=admin.id, action="people.create", subject=row.id, after=_plain(row))
    return row


async def change(session: AsyncSession, person_id: str, wanted: PersonChange, admin: Principal) -> Person:
    """Raises NotFound, InvalidRequest (code "house_only_scope"), Conflict (code "email_taken")."""
    row = await find(session, person_id)
    before = _plain(row)
    given = wanted.model_dump(exclude_none=True)
    refuse_house_scopes(row.partner_id, given.get("scopes", ()))
    if wanted.email is not None and wanted.email != row.email:
        await _refuse_taken(session, wanted.email, but_by=row.id)
        await _shut_out(session, row, "email_changed")
    if given:
        await people.change(session, row.id, **given)
        await session.refresh(row)
    await _recorded(session, row, "people.change", before, admin)
    return row


async def invite(session: AsyncSession, services: Services, person_id: str, admin: Principal) -> InvitationOut:
    """A link that ends the earlier ones. Raises NotFound, Conflict ("no_email", "person_disabled", "no_scopes")."""
    row = await find(session, person_id)
    if row.email is None:
        raise Conflict("Without an email address nobody can sign in; give one first.", code="no_email")
    if not row.scopes:
        raise Conflict("This person may do nothing yet; give scopes first.", code="no_scopes")
    if row.disabled_at is not None:
        raise Conflict("This person is shut out; let them in again first.", code="person_disabled")
    now, settings = utc_now(), services.settings
    until = now + timedelta(hours=settings.console.invitation_hours)
    token = await sign_in_links.make(
        session, row.id, "invitation", makers=admin.makers, by=admin.id, now=now, until=until,
        totp_sealed=services.box.seal(phone_codes.new_secret()),
    )  # fmt: skip
    after = {"expires_at": until.isoformat()}
    await audit.write(session, actor=admin.id, action="people.invite", subject=row.id, after=after)
    return InvitationOut(person_id=row.id, link=link_to(settings, token), expires_at=until)


async def disable(session: AsyncSession, person_id: str, admin: Principal, *, disabled: bool) -> Person:
    """Shut out, or let in again. Sessions and invitations end; keys are revoked one by one, as software may use them. Raises
    NotFound."""
    row = await find(session, person_id)
    if (row.disabled_at is not None) == disabled:
        return row
    before = _plain(row)
    await people.disable(session, row.id, utc_now() if disabled else None)
    if disabled:
        await _shut_out(session, row, "disabled")
    await session.refresh(row)
    await _recorded(session, row, "people.disable" if disabled else "people.enable", before, admin)
    return row


async def find(session: AsyncSession, person_id: str) -> Person:
    """Locked. Raises NotFound."""
    row = await people.get(session, person_id, for_update=True)
    if row is None:
        raise NotFound("No person has that id.", field="person_id")
    return row


def link_to(settings: Settings, token: str) -> str:
    """Where a browser opens a link."""
    return f"{settings.console.base_url or settings.callbacks.base_url}/console/in/{token}"


async def _shut_out(session: AsyncSession, row: Person, why: str) -> None:
    await browser_sessions.end_all(session, row.id, utc_now(), why)
    await sign_in_links.drop_all(session, row.id)


async def _refuse_taken(session: AsyncSession, email: str | None, *, but_by: str | None = None) -> None:
    if email is not None and await people.is_taken(session, email, but_by=but_by):
        raise Conflict("Another person has this address.", code="email_taken", field="email")


async def _recorded(session: AsyncSession, row: Person, act: str, before: dict[str, Any], admin: Principal) -> None:
    await audit.write(session, actor=admin.id, action=act, subject=row.id, before=before, after=_plain(row))


def _plain(row: Person) -> dict[str, Any]:
    return PersonOut.of(row).model_dump(mode="json")
