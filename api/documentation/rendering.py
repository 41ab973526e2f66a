"""Pages of the documentation, made by Jinja2. They load nothing from elsewhere: style and script are files of this package,
named with their digests, so that a browser refuses any other."""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from api.documentation.reference import shape_anchor

_HERE: Final = Path(__file__).parent
ASSETS: Final = {"reference.css": "text/css", "search.js": "text/javascript"}
# A page may have our style and our script, and nothing else: no frame, form, image of others, and no call anywhere.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)
_CODE: Final = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages load. `integrity` is its digest as browsers check it."""

    content: bytes
    media_type: str
    integrity: str

    @property
    def version(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:16]


@cache
def asset(name: str) -> Asset | None:
    """None for a name that there is not."""
    if name not in ASSETS:
        return None
    content = (_HERE / "assets" / name).read_bytes()
    digest = base64.b64encode(hashlib.sha384(content).digest()).decode()
    return Asset(content, ASSETS[name], f"sha384-{digest}")


def render(template: str, **facts: Any) -> str:
    """The page's HTML. Raises UndefinedError for a fact that the template wants and nobody gave."""
    return _templates().get_template(template).render(facts)


def page(html: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(html, status_code=status, headers={"content-security-policy": POLICY})


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["prose"] = prose
    made.filters["inline"] = inline
    made.filters["shape_anchor"] = shape_anchor
    made.globals["asset"] = asset
    return made


def prose(text: str) -> Markup:
    """A description as paragraphs, with what stands in backticks as code. Everything else is text."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]
    return Markup("\n").join(Markup("<p>{}</p>").format(inline(part)) for part in paragraphs)


def inline(text: str) -> Markup:
    """One line of the same."""
    pieces = _CODE.split(text)  # every second one stood in backticks
    return Markup("").join(
        Markup("<code>{}</code>").format(one) if at % 2 else escape(one) for at, one in enumerate(pieces)
    )
