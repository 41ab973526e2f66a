"""The secret of a phone's codes, as text and as a picture that the phone reads."""

from dataclasses import dataclass

import segno
from markupsafe import Markup

from core import phone_codes
from models.tables.platform.security import Person


@dataclass(frozen=True, slots=True)
class Shown:
    """`picture` is an SVG of presentation attributes alone, which our policy lets through; `secret` in groups of four."""

    address: str
    secret: str
    picture: Markup


def shown(secret: str, person: Person) -> Shown:
    address = phone_codes.address(secret, person.email or person.name)
    svg = segno.make(address, error="m", micro=False).svg_inline(scale=4, border=3, dark="#000", light="#fff")
    groups = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return Shown(address, groups, Markup(svg))  # noqa: S704  (made by us, of our own address)
