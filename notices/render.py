"""Message texts: one template per event, audience, channel and language under `texts/`.

`<language>/<event>.<audience>.<channel>.txt`, Jinja2, strict: a missing fact is an error in tests, not a hole in an SMS.
A language without a template falls back to English.
"""

from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound

Audience = Literal["client", "partner"]
Channel = Literal["sms", "email"]
FALLBACK = "en"
TEXTS: Final = Path(__file__).parent / "texts"

# One character outside GSM 03.38 makes a whole SMS UCS-2 and doubles its price, and these say nothing that their plain
# spellings do not. Letters of a person's name stay as they are.
_PLAIN: Final = str.maketrans(
    {"•": "*", "…": "...", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "\u00a0": " ", "\u202f": " "}
)


@lru_cache
def _templates() -> Environment:
    # Plain text for SMS and plain-text email: there is no markup to escape.
    return Environment(
        loader=FileSystemLoader(TEXTS),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
    )


def render(event: str, audience: Audience, channel: Channel, language: str, facts: dict[str, str]) -> str | None:
    """The text, or None if this event has no template for this audience and channel (then nobody is told that way)."""
    for tongue in (language, FALLBACK):
        try:
            template = _templates().get_template(f"{tongue}/{event}.{audience}.{channel}.txt")
        except TemplateNotFound:
            continue
        text = template.render(facts).strip()
        return text.translate(_PLAIN) if channel == "sms" else text
    return None
