"""Message texts: one template per event, audience, channel and language under `texts/`.

`<language>/<event>.<audience>.<channel>.txt`, Jinja2, strict: a missing fact is an error in tests, not a hole in an SMS.
A language without a template falls back to English.

Facts are cleaned and bounded here, whoever wrote them: a name is one line without controls, and no name pushes what must
be read out of an SMS. Dates (`| day`) and reasons (`| reason`) are written in the template's language.
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from typing import Final, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound

from core.texts import clean
from notices.reasons import sentence

Audience = Literal["client", "partner", "person"]
Channel = Literal["sms", "email"]
FALLBACK: Final = "en"
TEXTS: Final = Path(__file__).parent / "texts"

# What a fact may take of a text, in characters; others may take `_USUAL`.
_LONGEST: Final = {
    "client_name": 30, "partner_name": 30, "account_no": 20, "phone": 20, "receipt": 24, "receipts": 50,
    "bank_reference": 40, "reference": 40, "purchase_id": 40, "top_up_link": 300,
    "link": 300,
}  # fmt: skip
_USUAL: Final = 40
# A gateway cuts or refuses what is longer; names of letters outside GSM 03.38 need more segments than plain ones.
LONGEST_SMS: Final = 400
LONGEST_SUBJECT: Final = 120

# One character outside GSM 03.38 makes a whole SMS UCS-2 and doubles its price, and these say nothing that their plain
# spellings do not. Letters of a person's name stay as they are.
_PLAIN: Final = str.maketrans(
    {"•": "*", "…": "...", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "\u00a0": " ", "\u202f": " "}
)
_MONTHS: Final = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "sw": (
        "Januari", "Februari", "Machi", "Aprili", "Mei", "Juni", "Julai", "Agosti", "Septemba", "Oktoba", "Novemba",
        "Desemba",
    ),
}  # fmt: skip


def render(event: str, audience: Audience, channel: Channel, language: str, facts: Mapping[str, str]) -> str | None:
    """The text, or None if this event has no template for this audience and channel (then nobody is told that way)."""
    shown = {name: _fit(value, _LONGEST.get(name, _USUAL)) for name, value in facts.items()}
    for tongue in (language if language in _MONTHS else FALLBACK, FALLBACK):
        try:
            template = _templates(tongue).get_template(f"{event}.{audience}.{channel}.txt")
        except TemplateNotFound:
            continue
        text = template.render(shown).strip()
        return _fit(text.translate(_PLAIN), LONGEST_SMS) if channel == "sms" else text
    return None


@lru_cache
def _templates(language: str) -> Environment:
    # Plain text for SMS and plain-text email: there is no markup to escape.
    made = Environment(
        loader=FileSystemLoader(TEXTS / language),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
    )
    made.filters["day"] = partial(_day, _MONTHS[language])
    made.filters["reason"] = partial(_reason, language)
    return made


def _fit(text: str, limit: int) -> str:
    """One clean line; what does not fit is seen to be cut."""
    cleaned = clean(text, limit + 1)
    return cleaned if len(cleaned) <= limit else f"{cleaned[: limit - 3].rstrip()}..."


def _day(months: tuple[str, ...], iso: str) -> str:
    """An ISO date as people write it: 21 Nov 2026, 21 Novemba 2026."""
    day = date.fromisoformat(iso)
    return f"{day.day} {months[day.month - 1]} {day.year}"


def _reason(language: str, code: str, about: str = "") -> str:
    return sentence(code, language, about)
