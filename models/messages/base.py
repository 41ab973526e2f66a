"""The base of everything that crosses Temporal or HTTP: frozen, validated, and tolerant of fields from newer versions."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A frozen value. New fields get defaults, so that an old history can still be read."""

    model_config = ConfigDict(frozen=True)
