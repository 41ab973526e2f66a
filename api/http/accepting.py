"""In which form an answer is wanted: by `format`, else by `Accept`."""

from collections.abc import Sequence
from typing import Final

from starlette.exceptions import HTTPException

_MOST_PARTS: Final = 20


def wanted(accept: str | None, offered: Sequence[str]) -> str:
    """The offered media type that `Accept` likes best; among equals the one that is offered first, which is also what is
    sent to who says nothing. Raises HTTPException 406 if it wants none of them."""
    liked = [_part(part) for part in (accept or "*/*").split(",")[:_MOST_PARTS]]
    best, weight = "", 0.0
    for media_type in offered:
        likes = max((q for pattern, q in liked if _fits(media_type, pattern)), default=0.0)
        if likes > weight:
            best, weight = media_type, likes
    if not best:
        raise HTTPException(406, f"It can be sent as {', '.join(offered)}.")
    return best


def _part(part: str) -> tuple[str, float]:
    pattern, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                weight = 1.0
            return pattern, weight if 0 <= weight <= 1 else 1.0
    return pattern, 1.0


def _fits(media_type: str, pattern: str) -> bool:
    return pattern in ("*/*", media_type) or (pattern.endswith("/*") and media_type.startswith(pattern[:-1]))
