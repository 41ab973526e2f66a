"""What an identity provider says of somebody, proven: an ID token of OpenID Connect, and the secrets of one sign-in by it."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final, Self

import jwt

from core.errors import NotAllowed

# Signed with a private key of the provider's. Never with a shared secret: its public key would be one.
_ALGORITHMS: Final = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]
_CLOCKS_DIFFER: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Errand:
    """One way to the provider and back: what the browser keeps meanwhile. `state` ties the answer to this browser, `nonce`
    the token to this errand, `verifier` (PKCE) the code to us. `then` is the page that was asked for."""

    state: str
    nonce: str
    verifier: str
    then: str

    @classmethod
    def new(cls, then: str) -> Self:
        return cls(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), then)

    @classmethod
    def of(cls, values: Any) -> Self | None:
        """From its own `plain`; None for anything else."""
        try:
            return cls(**{name: str(values[name]) for name in cls.__dataclass_fields__})
        except (KeyError, TypeError):
            return None

    @property
    def plain(self) -> dict[str, str]:
        return asdict(self)

    @property
    def challenge(self) -> str:
        """The digest of the verifier, which goes with the browser."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    def answered_by(self, state: str) -> bool:
        return hmac.compare_digest(self.state.encode(), state.encode(errors="replace"))


def verified_email(
    token: str, keys: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str
) -> str:  # fmt: skip
    """The address that the provider vouches for, in lower case. `keys` is its key set (JWKS). Raises NotAllowed (code
    "id_token") for a token that is not of this provider, for us, of this errand, and now; "email_not_verified"."""
    try:
        known = jwt.PyJWKSet.from_dict(dict(keys))
        key = known[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(
            token, key.key, algorithms=[one for one in _ALGORITHMS if one == key.algorithm_name], audience=client_id,
            issuer=issuer, leeway=_CLOCKS_DIFFER, options={"require": ["exp", "iat", "iss", "aud", "sub", "nonce"]},
        )  # fmt: skip
    except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
        raise _unproven() from error
    if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
        raise _unproven()
    # A token for several is ours only if we asked for it.
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != client_id:
        raise _unproven()
    if claims.get("email_verified") is not True or not isinstance(claims.get("email"), str):
        raise NotAllowed("The identity provider does not vouch for your email address.", code="email_not_verified")
    return str(claims["email"]).lower()


def _unproven() -> NotAllowed:
    return NotAllowed("What the identity provider said cannot be proven. Try again.", code="id_token")
