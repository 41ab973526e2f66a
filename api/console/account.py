"""What people see and change of themselves: language, time zone, password, phone codes, and where they are signed in."""

import json
from typing import Annotated, Final

from fastapi import Form, Request, Response
from pydantic import StringConstraints, TypeAdapter, ValidationError

from api.console import codes, cookies, showing, signing_in
from api.console.forms import CodeText, ConsoleForm, PasswordText, ShortText
from api.console.routing import SIGN_IN, console_router, see_other
from api.console.visitors import Acting, Seen, Visitor
from api.console.wording import LANGUAGES
from api.http import problems
from api.http.dependencies import Services, ServicesDep
from api.http.values import Timezone, time_zones
from core import passwords, phone_codes
from core.clock import utc_now
from core.errors import InvalidRequest, KivukoError, NotAllowed
from store.platform import audit, browser_sessions, people

router = console_router()

_PAGE: Final = "/console/account"
_ZONE: Final[TypeAdapter[str]] = TypeAdapter(Timezone)


class Ways(ConsoleForm):
    """How pages are shown."""

    language: ShortText
    timezone: ShortText = ""


class NewPassword(ConsoleForm):
    """The present one, and twice the new one."""

    password: PasswordText = ""
    new: PasswordText = ""
    again: PasswordText = ""


class NewPhone(ConsoleForm):
    """`offer` is the sealed secret that the page showed; `code` is what the phone makes of it."""

    offer: Annotated[str, StringConstraints(max_length=1000, pattern=r"^[!-~]*$")] = ""
    password: PasswordText = ""
    code: CodeText = ""


class Nothing(ConsoleForm):
    """A button."""


@router.get(_PAGE)
async def account_page(request: Request, services: ServicesDep, visitor: Seen) -> Response:
    return await _page(request, services, visitor)


@router.post(f"{_PAGE}/ways")
async def change_ways(
    request: Request, services: ServicesDep, visitor: Acting, form: Annotated[Ways, Form()]
) -> Response:
    try:
        if form.language not in LANGUAGES:
            raise InvalidRequest("There is no such language here.", code="unknown_language", field="language")
        zone = _zone(form.timezone)
    except KivukoError as error:
        return await _page(request, services, visitor, error, "ways")
    async with services.database.transaction() as session:
        await people.change(session, visitor.person.id, language=form.language, timezone=zone)
    return see_other(f"{_PAGE}?done=ways")


@router.post(f"{_PAGE}/password")
async def change_password(
    request: Request, services: ServicesDep, visitor: Acting, form: Annotated[NewPassword, Form()]
) -> Response:
    """All sessions end; this browser gets a new one."""
    person = visitor.person
    try:
        passwords.check(form.new, known=(person.name, person.email or ""))
        if form.new != form.again:
            raise InvalidRequest("The two passwords are not the same.", code="not_the_same", field="again")
        await signing_in.prove_again(services, request, person, form.password)
    except KivukoError as error:
        return await _page(request, services, visitor, error, "password")
    stored = await signing_in.hashed(services, form.new)
    return await _changed(request, services, visitor, "password", password_hash=stored)


@router.post(f"{_PAGE}/phone")
async def change_phone(
    request: Request, services: ServicesDep, visitor: Acting, form: Annotated[NewPhone, Form()]
) -> Response:
    """All sessions end; this browser gets a new one."""
    try:
        secret = _offered(services, visitor, form.offer)
        step = phone_codes.step_of(secret, form.code, utc_now())
        if step is None:
            raise InvalidRequest("That is not the code that your phone shows now.", code="wrong_code", field="code")
        await signing_in.prove_again(services, request, visitor.person, form.password)
    except KivukoError as error:
        return await _page(request, services, visitor, error, "phone")
    return await _changed(
        request, services, visitor, "phone", totp_sealed=services.box.seal(secret), totp_last_step=step
    )  # fmt: skip


@router.post(f"{_PAGE}/sign-out-everywhere")
async def sign_out_everywhere(services: ServicesDep, visitor: Acting, form: Annotated[Nothing, Form()]) -> Response:
    async with services.database.transaction() as session:
        ended = await browser_sessions.end_all(session, visitor.person.id, utc_now(), "signed_out_everywhere")
        await audit.write(
            session, actor=visitor.session.id, action="sessions.end_all", subject=visitor.person.id,
            after={"ended": len(ended)},
        )  # fmt: skip
    answer = see_other(SIGN_IN)
    cookies.take_away(answer, services.settings)
    return answer


async def _changed(
    request: Request, services: Services, visitor: Visitor, what: str, **values: str | int
) -> Response:  # fmt: skip
    now, person = utc_now(), visitor.person
    async with services.database.transaction() as session:
        await people.change(session, person.id, **values)
        await browser_sessions.end_all(session, person.id, now, f"{what}_changed")
        begun = await signing_in.begin(session, services, request, person, "password", now)
        await audit.write(session, actor=begun.row.id, action=f"people.change_{what}", subject=person.id)
    answer = see_other(f"{_PAGE}?done={what}")
    cookies.put(answer, services.settings, begun.token)
    return answer


def _zone(text: str) -> str | None:
    try:
        return _ZONE.validate_python(text) if text else None
    except ValidationError:
        raise InvalidRequest("There is no such time zone.", code="unknown_timezone", field="timezone") from None


def _offer(services: Services, visitor: Visitor) -> tuple[str, str]:
    """A fresh secret, and the same sealed for this session alone: the page brings it back with the code."""
    secret = phone_codes.new_secret()
    return secret, services.box.seal(json.dumps({"session": visitor.session.id, "secret": secret}))


def _offered(services: Services, visitor: Visitor, offer: str) -> str:
    """Raises InvalidRequest (code "stale_form") for an offer that was not made to this session."""
    stale = InvalidRequest("This page is out of date. Open it anew, then try again.", code="stale_form")
    try:
        opened = json.loads(services.box.open(offer))
    except (NotAllowed, ValueError):
        raise stale from None
    if not isinstance(opened, dict) or opened.get("session") != visitor.session.id:
        raise stale
    return str(opened["secret"])


async def _page(
    request: Request, services: Services, visitor: Visitor, error: KivukoError | None = None, failed: str = ""
) -> Response:
    secret, offer = _offer(services, visitor)
    async with services.database.transaction() as session:
        sessions = await browser_sessions.living(session, visitor.person.id, utc_now())
    return showing.page(
        request, "account.html", status=200 if error is None else problems.status_of(error), error=error,
        failed=failed, done=request.query_params.get("done", ""), sessions=sessions, languages=LANGUAGES,
        zones=time_zones(), offer=offer, phone=codes.shown(secret, visitor.person),
    )  # fmt: skip
