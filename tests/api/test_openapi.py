"""The OpenAPI document says everything: who, what, examples, problems."""

from collections.abc import Iterator
from typing import Any

import pytest

from api.app import create_app
from core.settings import Settings

DOCUMENT: dict[str, Any] = create_app(Settings(_env_file=None, environment="test")).openapi()
OPEN = ("/health/", "/metrics", "/cb/", "/codec/by/")


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


EVERY = [pytest.param(path, operation, id=f"{method.upper()} {path}") for method, path, operation in operations()]


@pytest.mark.parametrize(("path", "operation"), EVERY)
def test_every_operation_is_named_tagged_and_shown_by_example(path: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["tags"]
    assert operation["operationId"].isidentifier()
    for name, content in contents(operation):
        assert "example" in content or "examples" in content, name


@pytest.mark.parametrize(("path", "operation"), EVERY)
def test_every_error_is_documented_as_a_problem(path: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if status.startswith(("4", "5")) and path != "/health/ready":
            assert set(response["content"]) == {"application/problem+json"}, status
    if not path.startswith(OPEN):
        assert {"401", "403", "422", "429", "503"} <= set(operation["responses"])
        assert operation["security"]


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"request {kind}", content
    for status, response in operation["responses"].items():
        for kind, content in response.get("content", {}).items():
            yield f"{status} {kind}", content


def test_operation_ids_are_unique() -> None:
    named = [operation["operationId"] for _, _, operation in operations()]
    assert len(named) == len(set(named))


def test_every_reference_leads_somewhere() -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    schemas = DOCUMENT["components"]["schemas"]
    assert {one.rsplit("/", 1)[1] for one in references(DOCUMENT)} <= set(schemas)


def test_money_is_text_everywhere() -> None:
    for name in ("MoneyIn", "MoneyOut"):
        assert DOCUMENT["components"]["schemas"][name]["properties"]["amount"]["type"] == "string"


def test_no_body_lets_unknown_fields_in() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for _, path, operation in operations():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            found = [content["schema"], *content["schema"].get("anyOf", [])]
            for reference in [one["$ref"] for one in found if "$ref" in one]:
                schema = schemas[reference.rsplit("/", 1)[1]]
                # Temporal's payloads are protobuf's to judge.
                assert schema.get("additionalProperties") is False or path.startswith("/codec"), reference
