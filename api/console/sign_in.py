"""Signing in and out."""

from typing import Annotated

from fastapi import Form, Query, Request, Response

from api.console import cookies, routing, showing, signing_in
from api.console.forms import CodeText, ConsoleForm, PasswordText, ShortText
from api.console.routing import HOME, SIGN_IN, console_router, see_other
from api.console.visitors import Acting
from api.http import problems
from api.http.dependencies import Services, ServicesDep
from core.clock import utc_now
from core.errors import KivukoError
from store.platform import audit, browser_sessions

router = console_router()


class SignInForm(ConsoleForm):
    """`then` is the page that was asked for before."""

    email: ShortText = ""
    password: PasswordText = ""
    code: CodeText = ""
    then: ShortText = HOME


@router.get(SIGN_IN)
async def sign_in_page(
    request: Request, services: ServicesDep, then: Annotated[str, Query(max_length=1000)] = HOME
) -> Response:
    return _form(request, services, then)


@router.post(SIGN_IN)
async def sign_in(request: Request, services: ServicesDep, form: Annotated[SignInForm, Form()]) -> Response:
    try:
        begun = await signing_in.sign_in(
            services, request, email=form.email, password=form.password, code=form.code
        )  # fmt: skip
    except KivukoError as error:
        return _form(request, services, form.then, email=form.email, error=error)
    answer = see_other(form.then if routing.is_ours(form.then) else HOME)
    cookies.put(answer, services.settings, begun.token)
    return answer


@router.post("/console/sign-out")
async def sign_out(services: ServicesDep, visitor: Acting) -> Response:
    now = utc_now()
    async with services.database.transaction() as session:
        await browser_sessions.end(session, visitor.session.id, now, "signed_out")
        await audit.write(session, actor=visitor.session.id, action="sessions.end", subject=visitor.person.id)
    answer = see_other(SIGN_IN)
    cookies.take_away(answer, services.settings)
    return answer


def _form(
    request: Request, services: Services, then: str, *, email: str = "", error: KivukoError | None = None
) -> Response:
    return showing.page(
        request, "sign_in.html", status=200 if error is None else problems.status_of(error),
        headers=problems.retry_after(error) if error else None,
        then=then if routing.is_ours(then) else HOME, email=email, error=error,
        needs_code=signing_in.needs_code(services), openid=services.settings.console.openid,
    )  # fmt: skip
