"""Phone numbers, parsed by the country's own rules and masked wherever they are printed."""

from typing import Any, Self

import phonenumbers
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from core.errors import InvalidRequest


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
        """From free text. `region` ("KE") resolves numbers without a country code; digits that start with a country
        code but no plus ("254712…") are understood too. Raises InvalidRequest for anything that is no valid number."""
        for candidate, hint in ((text, region), (f"+{text.strip().lstrip('+')}", None)):
            try:
                number = phonenumbers.parse(candidate, hint)
            except phonenumbers.NumberParseException:
                continue
            if phonenumbers.is_valid_number(number):
                made = object.__new__(cls)
                made._e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
                return made
        raise InvalidRequest("The phone number is missing or not a valid number.", code="invalid_msisdn", field="phone")

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
                raise ValueError("a phone number must be text")
            try:
                return cls.parse(value)
            except InvalidRequest as error:
                raise ValueError(error.detail) from None

        return core_schema.no_info_plain_validator_function(
            validate,
            json_schema_input_schema=core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: value.e164, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )
