"""The codes that an authenticator on a phone shows (TOTP, RFC 6238): six digits, anew every half minute."""

import hmac
from datetime import datetime
from typing import Final

import pyotp

_STEP_SECONDS: Final = 30
_ISSUER: Final = "Kivuko"


def new_secret() -> str:
    """160 bits in base 32, as phones take them."""
    return pyotp.random_base32()


def address(secret: str, email: str) -> str:
    """The `otpauth://` address that a phone reads, as text or as a picture."""
    return pyotp.TOTP(secret, interval=_STEP_SECONDS).provisioning_uri(name=email, issuer_name=_ISSUER)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """Which half minute this is the code of: the present one or a neighbour, since clocks differ. None for a wrong code. The
    caller sees to it that a step counts once."""
    present = int(now.timestamp()) // _STEP_SECONDS
    totp = pyotp.TOTP(secret, interval=_STEP_SECONDS)
    given = code.strip().replace(" ", "").encode(errors="replace")
    found = None
    for step in (present - 1, present, present + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), given):
            found = step
    return found
