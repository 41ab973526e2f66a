"""Whose session it is, and for some minutes an errand to an identity provider. Not readable by scripts, not sent by other
sites' forms, bound to this host alone."""

from typing import Final

from fastapi import Request, Response

from core.settings import Settings

_SESSION: Final = "kivuko_session"
_ERRAND: Final = "kivuko_errand"
_ERRAND_SECONDS: Final = 600


def read(request: Request, settings: Settings) -> str | None:
    return _read(request, settings, _SESSION, 100)


def put(response: Response, settings: Settings, token: str) -> None:
    """Until the browser is closed; the server ends it earlier."""
    _put(response, settings, _SESSION, token, None)


def take_away(response: Response, settings: Settings) -> None:
    _take_away(response, settings, _SESSION)


def read_errand(request: Request, settings: Settings) -> str | None:
    return _read(request, settings, _ERRAND, 2000)


def put_errand(response: Response, settings: Settings, sealed: str) -> None:
    _put(response, settings, _ERRAND, sealed, _ERRAND_SECONDS)


def take_errand_away(response: Response, settings: Settings) -> None:
    _take_away(response, settings, _ERRAND)


def _read(request: Request, settings: Settings, name: str, longest: int) -> str | None:
    found = request.cookies.get(_named(settings, name))
    return found if found and len(found) <= longest else None


def _put(response: Response, settings: Settings, name: str, value: str, seconds: int | None) -> None:
    response.set_cookie(
        _named(settings, name), value, max_age=seconds, path="/", secure=_is_secure(settings), httponly=True,
        samesite="lax",
    )  # fmt: skip


def _take_away(response: Response, settings: Settings, name: str) -> None:
    response.delete_cookie(
        _named(settings, name), path="/", secure=_is_secure(settings), httponly=True, samesite="lax"
    )  # fmt: skip


def _named(settings: Settings, name: str) -> str:
    """Browsers take a cookie of such a name only with Secure, for the whole of this host and from nobody else's."""
    return f"__Host-{name}" if _is_secure(settings) else name


def _is_secure(settings: Settings) -> bool:
    """On a developer's machine there is no TLS."""
    return settings.environment != "local"
