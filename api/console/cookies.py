"""The one cookie: whose session it is. Not readable by scripts, not sent by other sites' forms, bound to this host alone."""

from typing import Final

from fastapi import Request, Response

from core.settings import Settings

_LOCAL: Final = "kivuko_session"
# Browsers take a cookie of such a name only with Secure, for the whole of this host and from nobody else's.
_BOUND: Final = "__Host-kivuko_session"


def read(request: Request, settings: Settings) -> str | None:
    found = request.cookies.get(_name(settings))
    return found if found and len(found) <= 100 else None


def put(response: Response, settings: Settings, token: str) -> None:
    """Until the browser is closed; the server ends it earlier."""
    response.set_cookie(
        _name(settings), token, path="/", secure=_is_secure(settings), httponly=True, samesite="lax"
    )  # fmt: skip


def take_away(response: Response, settings: Settings) -> None:
    response.delete_cookie(_name(settings), path="/", secure=_is_secure(settings), httponly=True, samesite="lax")


def _name(settings: Settings) -> str:
    return _BOUND if _is_secure(settings) else _LOCAL


def _is_secure(settings: Settings) -> bool:
    """On a developer's machine there is no TLS."""
    return settings.environment != "local"
