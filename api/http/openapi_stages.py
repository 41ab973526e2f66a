"""What stages and statuses mean, said in the OpenAPI document wherever one of them stands."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from models.kinds import KINDS
from models.statuses import MEANINGS, Status


def explain_stages(document: dict[str, Any]) -> None:
    """Gives every field and parameter whose values are the stages of one kind, or the statuses, a description of each."""
    meanings: dict[frozenset[str], Mapping[Any, str]] = {
        frozenset(kind.row_class.stages): kind.row_class.stages for kind in KINDS
    }
    meanings[frozenset(get_args(Status))] = MEANINGS
    for field in _fields(document):
        if explained := meanings.get(frozenset(_values(field))):
            lines = [f"`{word}`: {means}" for word, means in explained.items()]
            field["description"] = "\n\n".join([field.get("description", "How far it is."), *lines])


def _fields(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for schema in document["components"]["schemas"].values():
        yield from schema.get("properties", {}).values()
    for path in document["paths"].values():
        for operation in path.values():
            yield from (one["schema"] for one in operation.get("parameters", ()))


def _values(field: dict[str, Any]) -> list[str]:
    return [value for part in [field, *field.get("anyOf", ())] for value in part.get("enum", ())]
