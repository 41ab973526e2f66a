"""Phone numbers, parsed by the country's own rules and masked wherever they are printed.

What is parsed decides who is paid, so a text is either one number or none. Taken are ASCII digits, one leading plus, and
what people write between digits: blanks, hyphens and dashes, dots, one pair of parentheses. Invisible marks that contact
books paste along (bidirectional marks, zero-width characters) are dropped first. Refused are letters (a keypad's "word
numbers", extensions), other scripts' digits, and a slash, a comma or an "or", which stand between two numbers.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, Self

import phonenumbers
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from core.errors import InvalidRequest

# A number with its separators; what is longer is no number, and is not looked at.
_LONGEST_TEXT: Final = 64
_MARKS: Final = (
    "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
_BLANKS: Final = "\t\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f"
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2212"
_PLAIN: Final = str.maketrans({**dict.fromkeys(_MARKS), **dict.fromkeys(_BLANKS, " "), **dict.fromkeys(_DASHES, "-")})
_SPELLING: Final = re.compile(r"[(]?[+]?[0-9. -]*(?:[(][0-9 ]*)?(?:[)][0-9. -]*)?", re.ASCII)
_SEPARATORS: Final = re.compile(r"[^0-9]", re.ASCII)


class Msisdn:
    """A phone number in E.164. `str()`, `repr()` and logs show it masked; `.e164` and `.digits` give it whole.

    Two numbers are equal if their digits are. In JSON (Temporal payloads, which are encrypted) it is the E.164 text.
    """

    __slots__ = ("_e164",)
    _e164: str

    def __init__(self, e164: str) -> None:
        parsed = self.parse(e164)
        self._e164 = parsed._e164

    @classmethod
    def parse(cls, text: str, region: str | None = None) -> Self:
        """From text as a person typed it. `region` ("KE") resolves numbers without a country code; a country code with a
        plus, with "00" or bare ("254712…") is understood too. Raises InvalidRequest, code "invalid_msisdn", for anything
        that is not one valid number."""
        for candidate, hint in _candidates(text, region):
            try:
                number = phonenumbers.parse(candidate, hint)
            except phonenumbers.NumberParseException:
                continue
            if phonenumbers.is_valid_number(number):
                made = object.__new__(cls)
                made._e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
                return made
        raise _invalid()

    @classmethod
    def read(cls, text: str, region: str | None = None) -> Self | None:
        """As `parse`, but None for what is not one valid number: for money that came in, whose phone is a mere hint."""
        try:
            return cls.parse(text, region)
        except InvalidRequest:
            return None

    @property
    def e164(self) -> str:
        """With plus: "+254712345678"."""
        return self._e164

    @property
    def digits(self) -> str:
        """Without plus: "254712345678"."""
        return self._e164[1:]

    @property
    def region(self) -> str | None:
        """ISO 3166 country of the number: "KE"."""
        return phonenumbers.region_code_for_number(phonenumbers.parse(self._e164))

    @property
    def masked(self) -> str:
        """Safe to show: "+2547•••••678"."""
        return f"{self._e164[:5]}{'•' * (len(self._e164) - 8)}{self._e164[-3:]}"

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"Msisdn({self.masked})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Msisdn) and other._e164 == self._e164

    def __hash__(self) -> int:
        return hash(self._e164)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(value: object) -> Msisdn:
            if isinstance(value, Msisdn):
                return value
            if not isinstance(value, str):
                raise PydanticCustomError("invalid_msisdn", "Give the phone number as text")
            try:
                return cls.parse(value)
            except InvalidRequest as error:
                raise PydanticCustomError("invalid_msisdn", "{detail}", {"detail": error.detail}) from None

        return core_schema.no_info_plain_validator_function(
            validate,
            json_schema_input_schema=core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: value.e164, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )


def _candidates(text: str, region: str | None) -> Iterator[tuple[str, str | None]]:
    """The readings of a text, the likeliest first; none if it has a character that no single number has."""
    if len(text) > _LONGEST_TEXT:
        return
    plain = text.translate(_PLAIN).strip(" \r\n")
    if not _SPELLING.fullmatch(plain) or plain.count("(") != plain.count(")"):
        return
    digits = _SEPARATORS.sub("", plain)
    if "+" in plain:
        yield f"+{digits}", None
        return
    if region is not None:
        yield digits, region
    # Kenya dials "000" to abroad, the handsets' own "00" is understood everywhere.
    yield f"+{digits.lstrip('0') if digits.startswith('00') else digits}", None


def _invalid() -> InvalidRequest:
    return InvalidRequest("The phone number is missing or not one valid number.", code="invalid_msisdn", field="phone")
