"""Small tools over `cryptography` and `hmac`: credentials sealed at rest, bytes sealed in flight, signed callback URLs, keyed
hashes of codes and of what people are found by."""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import NotAllowed


class CredentialBox:
    """Seals credentials at rest. The first key seals, every key opens: to rotate, put a new one in front."""

    def __init__(self, keys: list[str]) -> None:
        if not keys:
            raise ValueError("at least one credential key is needed")
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    @staticmethod
    def new_key() -> str:
        return Fernet.generate_key().decode()

    def seal(self, plain: str) -> str:
        return self._fernet.encrypt(plain.encode()).decode()

    def open(self, sealed: str) -> str:
        """Raises NotAllowed if no key of ours opens it."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise NotAllowed("A stored credential cannot be opened with the keys given.", code="sealed") from None

    def rotate(self, sealed: str) -> str:
        """The same content, sealed with the first key."""
        return self._fernet.rotate(sealed.encode()).decode()


class KeyRing:
    """AES-256-GCM with named keys: the active one seals, each opens what it sealed. For Temporal's payloads."""

    def __init__(self, keys: Mapping[str, str], active: str) -> None:
        """`keys` maps a key's id to 32 bytes in URL-safe base64; `active` is the id that seals."""
        if active not in keys:
            raise ValueError(f"the active key {active!r} is not in the ring")
        self.active = active
        self._ciphers = {name: AESGCM(base64.urlsafe_b64decode(key)) for name, key in keys.items()}

    @staticmethod
    def new_key() -> str:
        return base64.urlsafe_b64encode(AESGCM.generate_key(256)).decode()

    def seal(self, plain: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._ciphers[self.active].encrypt(nonce, plain, self.active.encode())

    def open(self, key_id: str, sealed: bytes) -> bytes:
        """Raises NotAllowed for an unknown key or for bytes that were changed."""
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise NotAllowed(f"Payload key {key_id!r} is not in the ring.", code="sealed")
        try:
            return cipher.decrypt(sealed[:12], sealed[12:], key_id.encode())
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
            raise NotAllowed("A payload was changed or sealed with another key.", code="sealed") from None


@dataclass(frozen=True, slots=True)
class CallbackRoute:
    """Where a provider's callback belongs: the saga that waits for it and the payment reference it speaks of."""

    workflow_id: str
    reference: str


class CallbackSigner:
    """Makes and checks the secret part of a callback URL: `<route in hex>/<HMAC in hex>`.

    Lowercase hex because Daraja refuses URLs that contain certain words (daraja.md, fact 11); hex cannot spell them.
    The route itself is in the token, so that a callback finds its saga without a lookup. The first secret signs; every
    secret is accepted, since callbacks may come days after a rotation.
    """

    def __init__(self, secrets: list[str]) -> None:
        if not secrets:
            raise ValueError("at least one callback secret is needed")
        self._secrets = [secret.encode() for secret in secrets]

    def sign(self, route: CallbackRoute) -> str:
        plain = f"{route.workflow_id}\n{route.reference}".encode()
        return f"{plain.hex()}/{self._mac(self._secrets[0], plain)}"

    def verify(self, route_hex: str, mac_hex: str) -> CallbackRoute:
        """The route, if one of our secrets signed it. Raises NotAllowed otherwise."""
        forged = NotAllowed("This callback address is not one that Kivuko made.", code="forged_callback")
        try:
            plain = bytes.fromhex(route_hex)
            workflow_id, reference = plain.decode().split("\n")
            given = mac_hex.encode()  # as bytes, because compare_digest fails on text outside ASCII
        except ValueError:
            raise forged from None
        # fromhex also takes capitals and blanks, which would make many spellings of one address.
        if plain.hex() != route_hex:
            raise forged
        if not any(hmac.compare_digest(self._mac(secret, plain).encode(), given) for secret in self._secrets):
            raise forged
        return CallbackRoute(workflow_id, reference)

    @staticmethod
    def _mac(secret: bytes, plain: bytes) -> str:
        return hmac.new(secret, plain, hashlib.sha256).hexdigest()[:32]


class CodeHasher:
    """Hashes of one-time codes, keyed and bound to what the code is for. A code has a million values, so only the key keeps
    its hash from being turned back; the database alone does not hold it."""

    def __init__(self, secrets: list[str]) -> None:
        """The first secret hashes; every secret is tried in a check, so that rotation does not kill living codes."""
        self._secrets = [f"one-time-code:{secret}".encode() for secret in secrets]

    def hash(self, subject: str, content: str, code: str) -> str:
        return self.hashes(subject, content, code)[0]

    def hashes(self, subject: str, content: str, code: str) -> list[str]:
        plain = f"{subject}\n{content}\n{code}".encode()
        return [hmac.new(secret, plain, hashlib.sha256).hexdigest() for secret in self._secrets]


class TermHasher:
    """Keyed hashes of what people are found by: phones and names. There are so few of either that a plain hash would be
    turned back in minutes; only the key keeps them shut. The first secret hashes, every secret is searched by."""

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets:
            raise ValueError("at least one search key is needed")
        self._keys = [f"search:{secret}".encode() for secret in secrets]

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Which keys these are, the first one first: of a term it says by which it was hashed, and tells nothing of it."""
        return tuple(hmac.new(key, b"id", hashlib.sha256).hexdigest()[:8] for key in self._keys)

    def hash(self, what: str, text: str) -> bytes:
        return self.hashes(what, text)[0]

    def hashes(self, what: str, text: str) -> list[bytes]:
        """By each key, the first one first; `what` keeps a name apart from a phone that is spelt alike."""
        plain = f"{what}\n{text}".encode()
        return [hmac.new(key, plain, hashlib.sha256).digest()[:16] for key in self._keys]


def sha256_hex(text: str | bytes) -> str:
    """Hex SHA-256: body hashes and stored API keys (which are long and random, so they need no slow hash)."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()
