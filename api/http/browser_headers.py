"""What browsers may do with our answers, and the one page that needs more than nothing.

Every answer forbids scripts, frames and everything else: it is data. The page of the API's documentation is Swagger UI, which
its vendor serves from a content delivery network and which sets styles on its elements itself: it gets a policy that names
that network, and of scripts in the page only the one whose digest is told.
"""

import base64
import hashlib
import re
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, RedirectResponse

POLICY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_SWAGGER: Final = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5.29.0"
_INLINE: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)

# Nothing is kept, framed, sniffed or told to other sites.
HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
    (b"content-security-policy", POLICY.encode()),
)
HSTS: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home() -> RedirectResponse:
    return RedirectResponse("/docs")


@router.get("/docs")
async def documentation(request: Request) -> HTMLResponse:
    app: FastAPI = request.app
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=f"{app.title} API",
        swagger_js_url=f"{_SWAGGER}/swagger-ui-bundle.js",
        swagger_css_url=f"{_SWAGGER}/swagger-ui.css",
        swagger_favicon_url="data:,",
    )
    digests = " ".join(f"'sha256-{_digest(script)}'" for script in _INLINE.findall(bytes(page.body).decode()))
    page.headers["content-security-policy"] = (
        f"default-src 'none'; script-src {digests} {_SWAGGER}/; style-src 'unsafe-inline' {_SWAGGER}/; "
        "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    return page


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
