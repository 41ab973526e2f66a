"""Rows of Fineract's lists: one that cannot be read is set aside and counted, and hides no other."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, TypeVar

from core.errors import KivukoError
from providers.fineract.shapes import APPROVED_STATUS
from providers.ports import UnreadableRow

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    found: list[T]
    unreadable: list[UnreadableRow]


def readable(rows: list[Any], shape: Callable[[Any], T]) -> Rows[T]:
    """Each row in its shape; those that raise one of our errors are set aside, with why in plain words."""
    found: list[T] = []
    unreadable: list[UnreadableRow] = []
    for row in rows:
        try:
            found.append(shape(row))
        except KivukoError as error:
            unreadable.append(UnreadableRow(id_of(row), digest_of(row), error.detail))
            logger.warning("a row of Fineract's was set aside: %s (%s)", id_of(row), error.code)
    return Rows(found, unreadable)


def id_of(row: Any) -> int | None:
    number = row.get("id") if isinstance(row, dict) else None
    return number if type(number) is int else None


def digest_of(row: Any) -> str:
    """Of the content, whatever it is."""
    return sha256(json.dumps(row, sort_keys=True, default=str).encode(errors="replace")).hexdigest()


def may_be_approved(row: Any) -> bool:
    """True for a row that says so or does not say what it is."""
    status = row.get("status") if isinstance(row, dict) else None
    return not isinstance(status, dict) or status.get("id", APPROVED_STATUS) == APPROVED_STATUS
