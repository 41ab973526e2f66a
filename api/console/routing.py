"""Routers of the console: its pages are no part of the API's document, and their errors are pages."""

from collections.abc import Callable, Coroutine
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from temporalio.service import RPCError

from api.console import showing
from api.console.same_origin import only_from_our_pages
from api.console.visitors import SignInFirst
from api.http import problems
from api.http.field_words import sentence
from core.errors import Busy, KivukoError, NotFound

HOME: Final = "/console"
SIGN_IN: Final = "/console/sign-in"
_LONGEST_RETURN: Final = 1000


class ConsoleRoute(APIRoute):
    """Answers with a page whatever happens, a bug aside."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        original = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await original(request)
            except SignInFirst:
                return _to_sign_in(request)
            except KivukoError as error:
                return refusal(request, error)
            except RequestValidationError as error:
                fields = [
                    {
                        "field": str(one["loc"][-1])[:60],
                        "detail": sentence(one["type"], one["msg"], one.get("ctx") or {}),
                    }
                    for one in error.errors()[:20]
                ]
                return showing.page(request, "unreadable.html", status=422, fields=fields)
            except HTTPException as error:
                if error.status_code != 404:
                    raise
                return refusal(request, NotFound("There is nothing here."))
            except RPCError:
                return refusal(
                    request, Busy("The workflow engine cannot be reached now.", code="temporal_unavailable")
                )  # fmt: skip

        return handler


def console_router() -> APIRouter:
    return APIRouter(
        include_in_schema=False, route_class=ConsoleRoute, dependencies=[Depends(only_from_our_pages)]
    )  # fmt: skip


def refusal(request: Request, error: KivukoError) -> Response:
    """What was not done, and why. Nothing of it was done."""
    return showing.page(
        request, "refused.html", status=problems.status_of(error), headers=problems.retry_after(error), code=error.code,
        detail=error.detail, back=_page_before(request),
    )  # fmt: skip


def see_other(path: str) -> RedirectResponse:
    """After a form was taken: the page to look at, which may be opened again without doing it again."""
    return RedirectResponse(path, status_code=303)


def is_ours(path: str) -> bool:
    """Whether this is the address of a page of the console, and cannot lead anywhere else."""
    plain = path.isascii() and path.isprintable() and len(path) <= _LONGEST_RETURN and "\\" not in path
    return plain and (path == HOME or path.startswith((f"{HOME}/", f"{HOME}?"))) and "//" not in path.partition("?")[0]


def _to_sign_in(request: Request) -> Response:
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": SIGN_IN})
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET" or wanted == HOME or not is_ours(wanted):
        return see_other(SIGN_IN)
    return see_other(f"{SIGN_IN}?then={quote(wanted, safe='/')}")


def _page_before(request: Request) -> str:
    """Where the form was, as the browser says; else the first page."""
    before = request.headers.get("referer", "")
    at = before.find(HOME)
    path = before[at:] if at > 0 else HOME
    return path if is_ours(path) and request.method == "POST" else HOME
