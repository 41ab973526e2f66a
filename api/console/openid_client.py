"""What we ask an identity provider: where its pages are, who stands behind a code, and with which keys it signs."""

import time
from typing import Any, Final

import httpx

from core.errors import Busy, NotAllowed
from core.id_tokens import Errand, verified_email
from core.settings import OpenId

_TIMEOUT_SECONDS: Final = 5.0
_KNOWN_FOR_SECONDS: Final = 600.0
_SCOPES: Final = "openid email"
# By issuer: a stranger's click must not cost a call each time.
_DOCUMENTS: Final[dict[str, tuple[float, dict[str, Any]]]] = {}


def forget() -> None:
    """What providers said of themselves."""
    _DOCUMENTS.clear()


class OpenIdClient:
    """One provider, as the settings name it. It is asked by the address that the operator gave, and what its own document
    names; in production by https alone."""

    def __init__(self, settings: OpenId, redirect_uri: str, *, https_only: bool) -> None:
        self._settings, self._redirect, self._https_only = settings, redirect_uri, https_only

    async def page(self, errand: Errand) -> str:
        """Where the browser goes. Raises Busy (code "openid_unavailable")."""
        document = await self._document()
        asked = {
            "response_type": "code", "client_id": self._settings.client_id, "redirect_uri": self._redirect,
            "scope": _SCOPES, "state": errand.state, "nonce": errand.nonce, "code_challenge": errand.challenge,
            "code_challenge_method": "S256",
        }  # fmt: skip
        return str(httpx.URL(self._endpoint(document, "authorization_endpoint")).copy_merge_params(asked))

    async def email_behind(self, code: str, errand: Errand) -> str:
        """Whom the provider vouches for. Raises NotAllowed ("openid_refused", "id_token", "email_not_verified"), Busy."""
        document = await self._document()
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self._redirect,
            "code_verifier": errand.verifier, "client_id": self._settings.client_id,
        }  # fmt: skip
        secret = self._settings.client_secret
        proof = (self._settings.client_id, secret.get_secret_value()) if secret else None
        answer = await self._ask("POST", self._endpoint(document, "token_endpoint"), data=form, auth=proof)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotAllowed("The identity provider did not say who you are. Try again.", code="openid_refused")
        keys = await self._ask("GET", self._endpoint(document, "jwks_uri"))
        return verified_email(
            token, keys, issuer=self._settings.issuer, client_id=self._settings.client_id, nonce=errand.nonce
        )

    async def _document(self) -> dict[str, Any]:
        issuer, now = self._settings.issuer, time.monotonic()
        known = _DOCUMENTS.get(issuer)
        if known is not None and known[0] > now - _KNOWN_FOR_SECONDS:
            return known[1]
        document = await self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != issuer:
            raise _unavailable()
        _DOCUMENTS[issuer] = (now, document)
        return document

    def _endpoint(self, document: dict[str, Any], name: str) -> str:
        url = str(document.get(name, ""))
        if not url.startswith(("https://",) if self._https_only else ("https://", "http://")):
            raise _unavailable()
        return url

    async def _ask(self, method: str, url: str, **request: Any) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
                answer = await client.request(method, url, headers={"Accept": "application/json"}, **request)
            found = answer.json() if answer.status_code < 500 else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            raise _unavailable() from None
        if not isinstance(found, dict):
            raise _unavailable()
        return found


def _unavailable() -> Busy:
    return Busy("The identity provider cannot be reached now.", code="openid_unavailable")
