"""How an error of ours travels through Temporal: by kind (what to do next) and code, never by its text."""

from typing import Literal

from models.messages.base import Message

ErrorKind = Literal["rejected", "transient", "unknown"]


class ErrorFacts(Message):
    """The detail of an ApplicationError that `activities/translate.py` makes."""

    kind: ErrorKind
    code: str
    detail: str
    extra: dict[str, str] = {}
