"""The base of everything that crosses Temporal or HTTP: frozen, validated, and tolerant of fields from newer versions."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from core.outside import provider_id

# A provider's id of a payment, spelt one way by whatever channel or person it comes.
ProviderId = Annotated[str, AfterValidator(provider_id)]


class Message(BaseModel):
    """A frozen value. New fields get defaults, so that an old history can still be read."""

    model_config = ConfigDict(frozen=True)
