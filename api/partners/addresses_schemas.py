"""Secret addresses, as callers read and replace them."""

from datetime import datetime

from pydantic import Field

from api.http.values import Body, Out, example
from models.providers import ProviderName


class SecretAddress(Out):
    """Where a system calls us. The address is a secret; of the one that it replaced only the end of its grace is known."""

    model_config = example(
        provider="bank", purpose="push", url="https://kivuko.example/cb/bank/4f1c…/", old_until="2026-11-23T06:14:03Z"
    )

    provider: ProviderName
    purpose: str = Field(description="What comes there: `hook`, `push`, `confirm`, `check`")
    url: str
    old_until: datetime | None


class SecretAddresses(Out):
    """The addresses that the key may read: those that announce money are the house's alone."""

    items: list[SecretAddress]


class RotateIn(Body):
    """`grace_hours`: for how long the present address goes on working; left out, what the installation has set. 0 ends it,
    and every older one, at once: for an address that has leaked."""

    model_config = example(grace_hours=48)

    grace_hours: int | None = Field(default=None, strict=True, ge=0, le=24 * 31)
