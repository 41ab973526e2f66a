"""Signing in by an identity provider: the browser goes there and comes back with a code, which says who it is."""

import json
from typing import Annotated, Final

from fastapi import Query, Request, Response
from starlette.responses import RedirectResponse

from api.console import cookies, routing, signing_in
from api.console.openid_client import OpenIdClient
from api.console.routing import HOME, console_router, see_other
from api.http.dependencies import Services, ServicesDep
from core.clock import utc_now
from core.errors import NotAllowed, NotFound
from core.id_tokens import Errand
from store.platform import people

router = console_router()

_BACK: Final = "/console/openid/back"


@router.get("/console/openid/start")
async def start(services: ServicesDep, then: Annotated[str, Query(max_length=1000)] = HOME) -> Response:
    errand = Errand.new(then if routing.is_ours(then) else HOME)
    answer = RedirectResponse(await _client(services).page(errand), status_code=303)
    cookies.put_errand(answer, services.settings, services.box.seal(json.dumps(errand.plain)))
    return answer


@router.get(_BACK)
async def back(
    request: Request,
    services: ServicesDep,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=2000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The errand is this browser's own: nobody comes in by a link that somebody else began. The provider may add what it
    likes to the address."""
    client, errand = _client(services), _errand(request, services)
    if errand is None or not errand.answered_by(state):
        raise NotAllowed("This sign-in was not begun here, or took too long. Begin anew.", code="stale_form")
    if error or not code:
        raise NotAllowed("The identity provider did not say who you are. Try again.", code="openid_refused")
    email = await client.email_behind(code, errand)
    now = utc_now()
    async with services.database.transaction() as session:
        found = await people.of_email(session, email)
        person = await people.get(session, found.id, for_update=True) if found else None
        if person is None or person.disabled_at is not None or not person.scopes:
            raise NotAllowed("Nobody here has your address. An administrator adds people.", code="unknown_person")
        begun = await signing_in.begin(session, services, request, person, "openid", now)
    answer = see_other(errand.then if routing.is_ours(errand.then) else HOME)
    cookies.put(answer, services.settings, begun.token)
    cookies.take_errand_away(answer, services.settings)
    return answer


def _client(services: Services) -> OpenIdClient:
    """Raises NotFound where no provider is set."""
    settings = services.settings
    if not settings.console.openid.issuer:
        raise NotFound("There is nothing here.")
    base = settings.console.base_url or settings.callbacks.base_url
    return OpenIdClient(
        settings.console.openid, f"{base}{_BACK}", https_only=settings.environment == "production"
    )  # fmt: skip


def _errand(request: Request, services: Services) -> Errand | None:
    sealed = cookies.read_errand(request, services.settings)
    try:
        return Errand.of(json.loads(services.box.open(sealed))) if sealed else None
    except (NotAllowed, ValueError):
        return None
