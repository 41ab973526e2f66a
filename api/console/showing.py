"""Pages, made of templates: escaped by themselves, in the reader's language, under a policy that runs nothing foreign."""

from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from api.console import formats, navigation, static_files
from api.console.visitors import Visitor
from api.console.wording import language_of, wording
from api.http.dependencies import services_of
from core.settings import Settings

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    # To our own pages alone, so that browsers say where a form came from.
    "Referrer-Policy": "same-origin",
}
TEMPLATES: Final = Path(__file__).parent / "templates"

_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True, keep_trailing_newline=False,
)  # fmt: skip
_ENVIRONMENT.globals.update(static=static_files.address, money=formats.amount)
_ENVIRONMENT.filters.update(plain=formats.plain, pairs=formats.pairs, pretty=formats.pretty)


def page(request: Request, template: str, *, status: int = 200, headers: dict[str, str] | None = None,
         zone: ZoneInfo | None = None, **facts: Any) -> HTMLResponse:  # fmt: skip
    """The page, for whoever is signed in (`request.state.visitor`), or for nobody. `zone` is in which times are shown, if
    not in the visitor's."""
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    words = visitor.words if visitor else wording(language_of(request.headers.get("accept-language", "")))
    zone = zone or (visitor.zone if visitor else ZoneInfo("UTC"))
    made = _ENVIRONMENT.get_template(template).render(
        **facts, t=words, language=words.language, me=visitor, when=partial(formats.moment, zone=zone),
        menu=navigation.menu(visitor) if visitor else [], here=request.url.path, zone=zone,
    )  # fmt: skip
    return HTMLResponse(made, status_code=status, headers=HEADERS | (headers or {}))


def temporal_page(request: Request, workflow_id: str) -> str | None:
    """Where Temporal's UI shows this workflow; None if nobody has said where that is."""
    services = services_of(request)
    base = temporal_ui(services.settings)
    namespace = services.settings.temporal.namespace
    return f"{base}/namespaces/{quote(namespace)}/workflows/{quote(workflow_id, safe='')}" if base else None


def temporal_ui(settings: Settings) -> str | None:
    if settings.console.temporal_url:
        return settings.console.temporal_url.rstrip("/")
    if settings.environment == "production":
        return None
    return f"http://127.0.0.1:{settings.temporal.ui_port}"
