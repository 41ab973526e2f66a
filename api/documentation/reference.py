"""The OpenAPI document, arranged for people: sections of operations, and the shapes that they take and give."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.http.pattern_words import words_of

Schema = Mapping[str, Any]

_SHAPE: Final = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a table: a parameter, or a property of a shape. `shapes` are the names of those that it leads to."""

    name: str
    type: str
    shapes: tuple[str, ...]
    required: bool
    rules: tuple[str, ...]
    about: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """A body in one media type, with examples as text."""

    media_type: str
    shapes: tuple[str, ...]
    type: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    about: str
    contents: tuple[Content, ...]
    codes: tuple[str, ...]  # of problems, as its examples have them


@dataclass(frozen=True, slots=True)
class Operation:
    anchor: str
    method: str
    path: str
    summary: str
    about: str
    needs_key: bool
    parameters: tuple[Field, ...]
    bodies: tuple[Content, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Section:
    anchor: str
    name: str
    about: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    about: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    title: str
    version: str
    about: str
    sections: tuple[Section, ...]
    shapes: tuple[Shape, ...]


def arranged(document: Schema) -> Reference:
    """Sections in the order of the document's tags; an operation stands under its first one."""
    named = [tag["name"] for tag in document["tags"]]
    about = {tag["name"]: tag.get("description", "") for tag in document["tags"]}
    by_tag: dict[str, list[Operation]] = {name: [] for name in named}
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            by_tag.setdefault(said["tags"][0], []).append(_operation(method, path, said))
    sections = tuple(
        Section(f"section-{_SHAPE.sub('-', name)}", name, about.get(name, ""), tuple(operations))
        for name, operations in by_tag.items()
        if operations
    )
    shapes = tuple(_shape(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    info = document["info"]
    return Reference(info["title"], info["version"], info.get("description", ""), sections, shapes)


def shape_anchor(name: str) -> str:
    return f"shape-{_SHAPE.sub('-', name)}"


def _operation(method: str, path: str, said: Schema) -> Operation:
    return Operation(
        anchor=said["operationId"],
        method=method.upper(),
        path=path,
        summary=said["summary"],
        about=said.get("description", ""),
        needs_key=bool(said.get("security")),
        parameters=tuple(
            _field(one["name"], one.get("schema", {}), bool(one.get("required")), one.get("description"), one["in"])
            for one in said.get("parameters", [])
        ),
        bodies=tuple(_contents(said.get("requestBody", {}))),
        answers=tuple(_answer(status, answer) for status, answer in sorted(said["responses"].items())),
    )


def _answer(status: str, answer: Schema) -> Answer:
    examples = [one for content in answer.get("content", {}).values() for one in _examples(content)]
    codes = tuple(dict.fromkeys(one["code"] for one in examples if isinstance(one, dict) and "type" in one))
    problem = status[:1] in "45"
    return Answer(status, answer.get("description", ""), tuple(_contents(answer)), codes if problem else ())


def _contents(said: Schema) -> Iterator[Content]:
    for media_type, content in said.get("content", {}).items():
        schema = content.get("schema", {})
        examples = tuple(_shown(one) for one in _examples(content))
        yield Content(media_type, tuple(_shapes(schema)), _type(schema), examples)


def _examples(content: Schema) -> list[Any]:
    if "examples" in content:
        return [one["value"] for one in content["examples"].values()]
    return [content["example"]] if "example" in content else []


def _shown(example: Any) -> str:
    return example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)


def _shape(name: str, schema: Schema) -> Shape:
    required = set(schema.get("required", ()))
    fields = tuple(_field(one, said, one in required) for one, said in schema.get("properties", {}).items())
    return Shape(name, schema.get("description", ""), fields)


def _field(name: str, schema: Schema, required: bool, about: str | None = None, where: str = "") -> Field:
    return Field(
        name=name,
        type=_type(schema).removesuffix(" or null") if where else _type(schema),  # a parameter is left out instead
        shapes=tuple(_shapes(schema)),
        required=required,
        rules=tuple(_rules(schema)),
        about=about or schema.get("description", "") or "",
        where=where,
    )


def _parts(schema: Schema) -> list[Schema]:
    """What it may be, without null."""
    found = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    return [part for part in found if part.get("type") != "null"]


def _shapes(schema: Schema) -> Iterator[str]:
    """The named shapes that it is made of, once each."""
    found: dict[str, None] = {}
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if "$ref" in one:
            found[one["$ref"].rsplit("/", 1)[1]] = None
        waiting += [*_parts(one), *([one["items"]] if isinstance(one.get("items"), dict) else [])]
    yield from found


def _type(schema: Schema) -> str:
    """In words: "text", "list of CaseOut", "whole number or null"."""
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1])
    if parts := _parts(schema):
        words = " or ".join(dict.fromkeys(_type(part) for part in parts))
        return f"{words} or null" if any(one.get("type") == "null" for one in schema.get("anyOf", ())) else words
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return _WORDS.get(schema.get("format", ""), _WORDS.get(schema.get("type", ""), "any value"))


_WORDS: Final = {
    "string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "object": "object",
    "date-time": "time", "date": "day", "null": "null",
}  # fmt: skip


def _rules(schema: Schema) -> Iterator[str]:
    for one in [schema, *_parts(schema)]:
        if "enum" in one:
            yield "one of " + ", ".join(str(value) for value in one["enum"])
        if "const" in one:
            yield f"always {one['const']}"
        for name, words in _LIMITS.items():
            if name in one:
                yield words.format(one[name])
        if pattern := one.get("pattern"):
            form = words_of(pattern)
            yield form[0].lower() + form[1:] if form else f"of the form {pattern}"
    if schema.get("default") is not None:
        yield f"usually {json.dumps(schema['default'], ensure_ascii=False)}"


_LIMITS: Final = {
    "minimum": "at least {}", "exclusiveMinimum": "more than {}", "maximum": "at most {}", "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters", "maxLength": "at most {} characters", "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
}  # fmt: skip
