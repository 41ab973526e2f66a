"""An identity provider (OpenID Connect Core 1.0, code flow, PKCE of RFC 7636), where one person is always signed in.

`POST /openid/simulator/person` says who that is. Fault `openid.token`: `refuse` (invalid_grant), `down` (503),
`unverified` (email_verified false), `other_nonce`, `other_audience`, `other_issuer`, `expired`, `other_key` (signed with
a key that is not in the set), `unsigned` (alg none), `shared_secret` (HS256 with the public key's text as its secret),
`no_nonce`, `for_several` (a token for two, asked for by the other). A code counts once, for its own
redirect, client and verifier.
"""

import base64
import hashlib
import hmac
import json
import secrets
from functools import cache
from typing import Annotated, Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import APIRouter, Form, Header, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel

from core.clock import utc_now
from simulators.world import World

CLIENT_ID: Final = "kivuko-console"
CLIENT_SECRET: Final = "local-demo-openid-secret"
TOKEN: Final = "openid.token"
_KEY_ID: Final = "openid-1"
_CODES, _PERSON = "openid.codes", "openid.person"
_FAULTS: Final = (
    "refuse", "down", "unverified", "other_nonce", "other_audience", "other_issuer", "expired", "other_key", "unsigned",
    "shared_secret", "no_nonce", "for_several",
)  # fmt: skip


class Person(BaseModel):
    """Who is signed in at the provider."""

    email: str


@cache
def _key(name: str) -> rsa.RSAPrivateKey:
    """Anew in each process; whoever checks a token reads the set first."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def routes(world: World) -> APIRouter:
    world.faults.declare(TOKEN, *_FAULTS)
    router = APIRouter()

    @router.post("/simulator/person", status_code=201)
    async def sign_in(person: Person) -> Person:
        world.documents.put(_PERSON, "now", person.model_dump())
        return person

    @router.get("/.well-known/openid-configuration")
    async def configuration(request: Request) -> dict[str, Any]:
        issuer = _issuer(request)
        return {
            "issuer": issuer, "authorization_endpoint": f"{issuer}/authorize", "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys", "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"], "code_challenge_methods_supported": ["S256"],
        }  # fmt: skip

    @router.get("/keys")
    async def keys() -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_key("ours").public_key()))
        return {"keys": [public | {"kid": _KEY_ID, "use": "sig", "alg": "RS256"}]}

    @router.get("/authorize")
    async def authorize(
        client_id: str, redirect_uri: str, state: str, scope: str, response_type: str, nonce: str, code_challenge: str,
        code_challenge_method: str,
    ) -> Response:  # fmt: skip
        if (client_id, response_type, code_challenge_method) != (CLIENT_ID, "code", "S256") or "openid" not in scope:
            return JSONResponse({"error": "invalid_request"}, status_code=400)
        code = secrets.token_urlsafe(16)
        asked = {"redirect_uri": redirect_uri, "nonce": nonce, "challenge": code_challenge}
        world.documents.put(_CODES, code, asked)
        return RedirectResponse(f"{redirect_uri}?code={code}&state={state}&session_state=x", status_code=302)

    @router.post("/token")
    async def token(
        request: Request,
        code: Annotated[str, Form()],
        redirect_uri: Annotated[str, Form()],
        code_verifier: Annotated[str, Form()],
        grant_type: Annotated[str, Form()],
        authorization: Annotated[str, Header()] = "",
    ) -> Response:
        asked = world.documents.get(_CODES, code)
        fault = world.faults.next(TOKEN)
        action = fault.action if fault else ""
        if action == "down":
            return JSONResponse({"error": "unavailable"}, status_code=503)
        proof = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if authorization != f"Basic {proof}":
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
        fits = asked and asked.get("used") is None and asked["redirect_uri"] == redirect_uri
        if not fits or asked is None or asked["challenge"] != challenge or grant_type != "authorization_code" or (
            action == "refuse"
        ):  # fmt: skip
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        world.documents.put(_CODES, code, {**asked, "used": True})
        person = world.documents.get(_PERSON, "now") or {"email": "nobody@example.com"}
        made = _signed(_claims(_issuer(request), person["email"], asked["nonce"], action), action)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": made})

    return router


def _issuer(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}/openid"


def _claims(issuer: str, email: str, nonce: str, action: str) -> dict[str, Any]:
    now = int(utc_now().timestamp())
    claims: dict[str, Any] = {
        "iss": issuer, "sub": hashlib.sha256(email.encode()).hexdigest(), "aud": CLIENT_ID, "iat": now, "exp": now + 300,
        "nonce": nonce, "email": email, "email_verified": True,
    }  # fmt: skip
    spoilt: dict[str, dict[str, Any]] = {
        "unverified": {"email_verified": False}, "other_nonce": {"nonce": "x"}, "other_audience": {"aud": "another"},
        "other_issuer": {"iss": "https://another.example"}, "expired": {"iat": now - 900, "exp": now - 600},
        "for_several": {"aud": [CLIENT_ID, "another"], "azp": "another"},
    }  # fmt: skip
    claims |= spoilt.get(action, {})
    if action == "no_nonce":
        del claims["nonce"]
    return claims


def _signed(claims: dict[str, Any], action: str) -> str:
    header = {"kid": _KEY_ID}
    if action == "unsigned":
        return jwt.encode(claims, "", algorithm="none", headers=header)
    if action == "shared_secret":
        return _by_hand(claims, header)
    return jwt.encode(claims, _key("another" if action == "other_key" else "ours"), algorithm="RS256", headers=header)


def _by_hand(claims: dict[str, Any], header: dict[str, str]) -> str:
    """The library refuses to take a public key for a secret; an attacker's does not."""
    public = _key("ours").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    parts = [_b64(json.dumps({"alg": "HS256", "typ": "JWT", **header}).encode()), _b64(json.dumps(claims).encode())]
    signature = hmac.new(public, ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, _b64(signature)])


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
