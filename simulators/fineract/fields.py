"""Command bodies, read as strictly as Fineract reads them (fineract.md 2): field names, locale, dates, amounts."""

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from simulators.fineract.replies import invalid

# The parts of Java's DateTimeFormatter that people use, longest first.
_JAVA: Final = (("yyyy", "%Y"), ("MMMM", "%B"), ("MMM", "%b"), ("MM", "%m"), ("dd", "%d"))


class Fields:
    """One body. Raises the 400 that the server would give."""

    def __init__(self, body: dict[str, Any], resource: str, allowed: frozenset[str]) -> None:
        unknown = sorted(set(body) - allowed)
        if unknown:
            raise invalid(*(("error.msg.parameter.unsupported", name) for name in unknown))
        self._body = body
        self._resource = resource

    def get(self, name: str) -> Any:
        return self._body.get(name)

    def date(self, name: str, *, required: bool = True) -> date | None:
        value = self._body.get(name)
        if value is None:
            if required:
                raise invalid((f"validation.msg.{self._resource}.{name}.cannot.be.blank", name))
            return None
        # Arrays are how the server writes dates, not how it reads them.
        if not isinstance(value, str):
            raise invalid((f"validation.msg.{self._resource}.{name}.cannot.be.blank", name))
        self._needs("locale", name)
        pattern = str(self._needs("dateFormat", name))
        for java, python in _JAVA:
            pattern = pattern.replace(java, python)
        try:
            return datetime.strptime(value, pattern).date()  # noqa: DTZ007
        except ValueError:
            raise invalid(("validation.msg.invalid.dateFormat.format", name)) from None

    def amount(self, name: str, *, required: bool = False, zero: bool = False) -> Decimal | None:
        value = self._body.get(name)
        if value is None:
            if required:
                raise invalid((f"validation.msg.{self._resource}.{name}.cannot.be.blank", name))
            return None
        self._needs("locale", name)
        try:
            amount = Decimal(re.sub(",", "", str(value)))
        except InvalidOperation:
            raise invalid(("validation.msg.invalid.decimal.format", name)) from None
        if amount < 0 or (amount == 0 and not zero):
            raise invalid((f"validation.msg.{self._resource}.{name}.not.greater.than.zero", name))
        return amount

    def text(self, name: str, longest: int) -> str | None:
        value = self._body.get(name)
        if value is None:
            return None
        if len(str(value)) > longest:
            raise invalid((f"validation.msg.{self._resource}.{name}.exceeds.max.length", name))
        return str(value)

    def _needs(self, spelling: str, name: str) -> Any:
        """Raises the 400 that names the field which cannot be read without its locale or format."""
        if not self._body.get(spelling):
            raise invalid((f"validation.msg.missing.{spelling}.parameter", name))
        return self._body[spelling]
