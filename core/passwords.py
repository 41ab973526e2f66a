"""Passwords of people: what one must be, and its slow hash (argon2id, the library's own cost)."""

import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.errors import InvalidRequest
from core.production import weakness

SHORTEST: Final = 12
LONGEST: Final = 200

_HASHER: Final = PasswordHasher()
# Of a password that nobody has: checked where there is no person, so that it takes the same time.
_NOBODYS: Final = _HASHER.hash("nobody has this password, nor will anybody")


def check(password: str, *, known: tuple[str, ...] = ()) -> None:
    """Raises InvalidRequest (code "weak_password") for one that is short, repeats itself, or is made of what is `known` of
    its person, such as the name or the email address."""
    plain = password.casefold()
    why = None
    if len(password) < SHORTEST:
        why = f"is shorter than {SHORTEST} characters"
    elif len(password) > LONGEST:
        why = f"is longer than {LONGEST} characters"
    elif any(word and word.casefold() in plain for fact in known for word in (fact, fact.partition("@")[0])):
        why = "holds your own name or address"
    else:
        why = weakness(password, SHORTEST)
    if why:
        raise InvalidRequest(f"The password {why}.", code="weak_password", field="password")


def hashed(password: str) -> str:
    """Takes tens of milliseconds and 64 MiB, on purpose: call it in a thread."""
    return _HASHER.hash(_one_spelling(password))


def is_right(password: str, stored: str | None) -> bool:
    """Whether the hash is of this password; False for None, after the same time."""
    try:
        return _HASHER.verify(stored or _NOBODYS, _one_spelling(password)) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Whether a new hash would cost more than this one."""
    return _HASHER.check_needs_rehash(stored)


def _one_spelling(password: str) -> str:
    """Keyboards spell the same letter in several ways."""
    return unicodedata.normalize("NFKC", password)
