"""A link that works once: an invitation, to set password and phone codes; on a developer's machine also to come in at once.

Opening it changes nothing, as mail programs open links before people do; the button does.
"""

from typing import Annotated, Final

from fastapi import Form, Path, Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.console import codes, cookies, showing, signing_in
from api.console.forms import CodeText, ConsoleForm, PasswordText
from api.console.routing import HOME, console_router, see_other
from api.console.signing_in import Begun
from api.http import problems
from api.http.dependencies import Services, ServicesDep
from core import passwords, phone_codes
from core.clock import utc_now
from core.errors import InvalidRequest, KivukoError, NotFound
from models.tables.platform.security import Person
from models.tables.platform.signing_in import SignInLink
from store.platform import audit, browser_sessions, people, sign_in_links

router = console_router()

Token = Annotated[str, Path(max_length=sign_in_links.LONGEST)]
_PAGE: Final = "/console/in/{token}"


class NewCredentials(ConsoleForm):
    """What an invited person chooses, and the code that shows that their phone has the secret."""

    password: PasswordText = ""
    again: PasswordText = ""
    code: CodeText = ""


@router.get(_PAGE)
async def link_page(token: Token, request: Request, services: ServicesDep) -> Response:
    async with services.database.transaction() as session:
        link, person = await _living(session, services, token)
    return _shown(request, services, link, person)


@router.post(_PAGE)
async def use_link(
    token: Token, request: Request, services: ServicesDep, form: Annotated[NewCredentials, Form()]
) -> Response:
    async with services.database.transaction() as session:
        link, person = await _living(session, services, token)
    try:
        if link.purpose == "local":
            begun = await _come_in(services, request, token)
        else:
            begun = await _set_up(services, request, token, form)
    except InvalidRequest as error:
        return _shown(request, services, link, person, error)
    answer = see_other(HOME)
    cookies.put(answer, services.settings, begun.token)
    return answer


async def _come_in(services: Services, request: Request, token: str) -> Begun:
    now = utc_now()
    async with services.database.transaction() as session:
        _, person = await _living(session, services, token)
        await _use(session, token)
        return await signing_in.begin(session, services, request, person, "link", now)


async def _set_up(services: Services, request: Request, token: str, form: NewCredentials) -> Begun:
    """Password and codes are the invited person's own from now on; whoever could have used the invitation is remembered.
    Raises InvalidRequest ("weak_password", "not_the_same", "wrong_code"), NotFound for a link that was used meanwhile."""
    async with services.database.transaction() as session:
        link, person = await _living(session, services, token)
    passwords.check(form.password, known=(person.name, person.email or ""))
    if form.password != form.again:
        raise InvalidRequest("The two passwords are not the same.", code="not_the_same", field="again")
    now, step = utc_now(), None
    if link.totp_sealed is not None and (form.code or signing_in.needs_code(services)):
        step = phone_codes.step_of(services.box.open(link.totp_sealed), form.code, now)
        if step is None:
            raise InvalidRequest("That is not the code that your phone shows now.", code="wrong_code", field="code")
    stored = await signing_in.hashed(services, form.password)
    async with services.database.transaction() as session:
        await _use(session, token)
        await people.change(
            session, person.id, password_hash=stored, makers=link.makers, totp_last_step=step,
            totp_sealed=None if step is None else link.totp_sealed,
        )  # fmt: skip
        await browser_sessions.end_all(session, person.id, now, "invited_anew")
        begun = await signing_in.begin(session, services, request, person, "invitation", now)
        await audit.write(session, actor=begun.row.id, action="people.set_up", subject=person.id)
        return begun


async def _living(session: AsyncSession, services: Services, token: str) -> tuple[SignInLink, Person]:
    """Raises NotFound, also for a link of a developer's machine on any other."""
    found = await sign_in_links.find(session, token, utc_now())
    if found is None or (found[0].purpose == "local" and services.settings.environment != "local"):
        raise _gone()
    return found


async def _use(session: AsyncSession, token: str) -> None:
    if not await sign_in_links.use(session, token, utc_now()):
        raise _gone()


def _gone() -> NotFound:
    return NotFound("This link has been used, or its time is over. Ask for a new one.", code="link_gone")


def _shown(
    request: Request, services: Services, link: SignInLink, person: Person, error: KivukoError | None = None
) -> Response:
    secret = services.box.open(link.totp_sealed) if link.totp_sealed else None
    return showing.page(
        request, "invitation.html", status=200 if error is None else problems.status_of(error), person=person,
        purpose=link.purpose, error=error, needs_code=signing_in.needs_code(services),
        phone=codes.shown(secret, person) if secret else None,
    )  # fmt: skip
