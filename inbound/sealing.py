"""What came, whole: the body, whatever its bytes, and the headers that a signature or an event needs. Sealed like a
credential, since it may hold passwords, names and numbers that nobody has read yet."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from core.crypto import CredentialBox, sha256_hex

# Signatures and times of the banks, and what Fineract says beside the body.
_HEADERS: Final = ("x-bank-", "x-fineract-", "x-mifos-", "fineract-platform-tenantid")
_LONGEST_HEADER: Final = 500
_MOST_HEADERS: Final = 20


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One message as it came; header names in lower case."""

    body: bytes
    headers: Mapping[str, str]


def raw_message(body: bytes, headers: Mapping[str, str]) -> RawMessage:
    """Keeps the headers that matter."""
    kept = [(name.lower(), value[:_LONGEST_HEADER]) for name, value in headers.items()]
    return RawMessage(body, dict([pair for pair in kept if pair[0].startswith(_HEADERS)][:_MOST_HEADERS]))


def seal(box: CredentialBox, message: RawMessage) -> str:
    body = base64.b64encode(message.body).decode()
    return box.seal(json.dumps({"headers": dict(message.headers), "body": body}))


def unseal(box: CredentialBox, sealed: str) -> RawMessage:
    """Raises NotAllowed (code "sealed") if no key of ours opens it."""
    opened = json.loads(box.open(sealed))
    return RawMessage(base64.b64decode(opened["body"]), opened["headers"])


def digest(endpoint: str, address: str, body: bytes) -> str:
    """The same for a copy at the same address."""
    return sha256_hex(f"{endpoint}\n{address}\n".encode() + body)
