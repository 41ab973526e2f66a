"""The kinds of sagas as the command line knows them: an id's prefix names its kind, and the kind its place in the API."""

from importlib import import_module
from typing import Final, cast

from cli.errors import Failure
from models import kinds
from models.kinds import KINDS, SagaKind

# Stages that no saga leaves; "returned" is an end of top-ups and collections (floats say "returning").
ENDED: Final = frozenset({"completed", "refused", "failed", "withdrawn", "expired", "returned", "merged"})

# What is shown of every saga, after what is its own.
SHOWN_OF_ALL: Final = ("reason_code", "reason", "requested_by", "workflow_id", "created_at", "ended_at")


def kind_of(saga_id: str) -> SagaKind:
    """Raises Failure for an id that belongs to no saga."""
    found = kinds.of_id(saga_id)
    if found is None:
        known = ", ".join(f"{kind.id_prefix}_… ({kind.word})" for kind in KINDS)
        raise Failure(f"{saga_id} is no payment's id. Known are {known}.", code="usage")
    return found


def path_of(saga_id: str) -> str:
    """Where the API shows this saga, such as /top-ups/top_01ktv…."""
    return f"{kind_of(saga_id).path}/{saga_id}"


def key_of(kind: SagaKind) -> str:
    """Its name in JSON, such as "top_up"."""
    return kind.word.replace("-", "_").replace(" ", "_")


def shown_of(kind: SagaKind) -> tuple[str, ...]:
    """What of its row is for people's eyes, as the file of its commands says."""
    own = cast(tuple[str, ...], import_module(f"cli.commands.{kind.leaf}").SHOWN)
    return (*own, *SHOWN_OF_ALL)
