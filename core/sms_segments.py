"""How many SMS a text is: what gateways charge by."""

from typing import Final

# GSM 03.38, the basic table (without the escape) and the extension table, whose members take two septets.
_GSM_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION: Final = frozenset("\f^{}\\[~]|€")


def segments(text: str) -> int:
    """How many SMS the text is billed as (sms_email.md 3).

    GSM-7 holds 160 septets in a lone message and 153 in each part of a long one; a text with any other character is
    sent as UCS-2, which holds 70 and 67 UTF-16 units. A character that takes two is not cut in two.
    """
    if all(char in _GSM_BASIC or char in _GSM_EXTENSION for char in text):
        return _parts([2 if char in _GSM_EXTENSION else 1 for char in text], alone=160, each=153)
    return _parts([2 if ord(char) > 0xFFFF else 1 for char in text], alone=70, each=67)


def _parts(widths: list[int], *, alone: int, each: int) -> int:
    if sum(widths) <= alone:
        return 1
    parts, used = 1, 0
    for width in widths:
        if used + width > each:
            parts, used = parts + 1, 0
        used += width
    return parts
