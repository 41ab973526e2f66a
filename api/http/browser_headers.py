"""What browsers may do with our answers: nothing. They are data. A page for people says what it needs in a policy of its own
(`api/documentation/rendering.py`)."""

from typing import Final

POLICY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

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
