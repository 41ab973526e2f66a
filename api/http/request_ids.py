"""One id for each request: the caller's own, if it is fit to stand in a log, else one of ours. It is in the answer's
`X-Request-Id` and in every log line that the request writes."""

import re
from typing import Final

from starlette.types import Scope

from core.ids import REQUEST, new_id

HEADER: Final = b"x-request-id"

# What other systems make (UUIDs, trace ids), and nothing that could steer a terminal or hold a secret's length.
_FIT: Final = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")


def id_of(scope: Scope) -> str:
    """The request's id. A header that is given twice or is not fit counts as none."""
    given = [value for name, value in scope["headers"] if name == HEADER]
    if len(given) == 1 and _FIT.fullmatch(given[0]):
        return bytes(given[0]).decode("ascii")
    return new_id(REQUEST)
