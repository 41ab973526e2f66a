"""A form is taken from our own pages alone, whether or not somebody is signed in yet."""

from urllib.parse import urlsplit

from fastapi import Request

from core.errors import NotAllowed


async def only_from_our_pages(request: Request) -> None:
    """Raises NotAllowed (code "foreign_page") for what changes something and was not sent by a page of this host: browsers
    say so in `Sec-Fetch-Site`, older ones in `Origin`. One that says neither is none of today's."""
    if request.method in ("GET", "HEAD"):
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        ours = site == "same-origin"
    else:
        origin = request.headers.get("origin", "")
        ours = bool(origin) and _host_of(origin) == request.headers.get("host", "").lower()
    if not ours:
        raise NotAllowed("This was not sent by a page of Kivuko. Open the page anew.", code="foreign_page")


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
