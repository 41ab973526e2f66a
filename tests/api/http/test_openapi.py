"""The OpenAPI document says everything: who, what, examples, problems."""

from collections.abc import Iterator
from typing import Any

import pytest

from models.kinds import KINDS
from models.statuses import MEANINGS
from tests.support.openapi import document

DOCUMENT: dict[str, Any] = document()
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


# What moves or decides nothing: a question, a translation for Temporal's UI, a code that is kept nowhere.
QUESTIONS = {
    "/api/v1/float-purchases/quotes", "/api/v1/search", "/api/v1/search/reveal", "/codec/encode", "/codec/decode",
    "/api/v1/approvals/{request_id}/code",
}  # fmt: skip
# Why nothing is done twice where `Idempotency-Key` may be left out.
NATURAL_KEYS = {
    "/api/v1/partners": "a partner's name",
    "/api/v1/partners/{partner_id}/connections/daraja/register-paybill": "the short code's addresses",
    "/api/v1/partners/{partner_id}/connections/{provider}/check": "the connection itself",
    "/api/v1/partners/{partner_id}/contacts": "name, phone, email and role",
    "/api/v1/partners/{partner_id}/loan-products/fetch": "the partner's products",
    "/api/v1/partners/{partner_id}/provider-balances/refresh": "one question at a time",
    "/api/v1/partners/{partner_id}/wallet/credits": "the bank's transaction",
    "/api/v1/claims/move": "a claim has one open proposal",
    "/api/v1/disbursements": "the loan",
    "/api/v1/disbursements/{disbursement_id}/resolve": "the same words about the same attempt",
    "/api/v1/float-purchases/{purchase_id}/confirm": "the code, which counts once",
    "/api/v1/float-purchases/{purchase_id}/resend-code": "a new code ends the one before",
    "/api/v1/cases/{case_id}/take": "who has the case",
    "/api/v1/cases/{case_id}/give-back": "who has the case",
    "/api/v1/cases/{case_id}/act": "the same words about the same attempt, and a proposal stands once",
    "/api/v1/cases/{case_id}/close": "a case is closed once",
    "/api/v1/bulk-actions/{bulk_id}/stop": "whether the action goes on",
    "/api/v1/report-subscriptions": "partner, kind and address",
    "/api/v1/reconciliations": "a comparison moves nothing, and one day has one that runs",
    "/api/v1/unknown-outcomes/ask": "a question to the provider",
    "/api/v1/unknown-outcomes/resolve": "the same words about the same attempt",
    "/api/v1/tariffs": "charge, currency, beginning and amounts",
    "/api/v1/tariffs/import": "charge, currency, beginning and amounts",
    "/api/v1/keys": "the key's name",
    "/api/v1/people": "the person",
    "/api/v1/approvals/{request_id}/approve": "a person answers a version once",
    "/api/v1/approvals/{request_id}/reject": "a request is rejected once",
    "/api/v1/approval-rules/policies": "act, currency and threshold have one open request",
    "/api/v1/approval-rules/delegations": "who may answer as whom, and when",
    "/api/v1/people/{person_id}/invite": "a new invitation ends the one before",
    "/api/v1/people/{person_id}/disable": "whether the person may come in",
    "/api/v1/people/{person_id}/enable": "whether the person may come in",
    "/api/v1/inbox/{inbox_id}/read-again": "what was stored once is taken once",
} | {
    f"/api/v1/{saga}/{command}": "going on at once, or ending, is the same however often it is asked for"
    for saga in (
        "disbursements/{disbursement_id}", "top-ups/{top_up_id}", "float-purchases/{purchase_id}",
        "collections/{collection_id}",
    )
    for command in ("retry", "cancel")
}  # fmt: skip


def headers_of(operation: dict[str, Any]) -> dict[str, bool]:
    return {one["name"]: one["required"] for one in operation.get("parameters", []) if one["in"] == "header"}


def test_an_idempotency_key_is_treated_alike_everywhere() -> None:
    """Every POST that makes or decides something takes one; where nothing else tells a repeated request from a second one it
    is required. A PUT names what it sets, and needs none."""
    takes: set[str] = set()
    needs: set[str] = set()
    for method, path, operation in operations():
        given = headers_of(operation)
        assert "Idempotency-Key" not in given or method == "post", path
        if method == "post" and not path.startswith(OPEN) and path not in QUESTIONS:
            assert "Idempotency-Key" in given, path
            (needs if given["Idempotency-Key"] else takes).add(path)
    assert takes - set(NATURAL_KEYS) == set(), "say why nothing is done twice, or require the key"
    assert {path.split("/")[3] for path in needs} == {
        "top-ups", "float-purchases", "collections", "partners", "bulk-actions",
    }  # fmt: skip


def test_the_number_of_an_account_has_one_name() -> None:
    """`account`; where a schema has several, each is named by what it is for (`wallet_account`)."""
    properties = {
        name for schema in DOCUMENT["components"]["schemas"].values() for name in schema.get("properties", {})
    } | {one["name"] for _, _, operation in operations() for one in operation.get("parameters", [])}
    found = {name for name in properties if "account" in name}
    assert found == {"account", "wallet_account", "b2c_account", "float_account", "reject_unknown_accounts"}


def test_stages_and_statuses_are_explained_where_they_stand() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for kind in KINDS:
        described = [
            field["description"]
            for schema in schemas.values()
            for field in schema.get("properties", {}).values()
            if set(field.get("enum", ())) == set(kind.row_class.stages)
        ]
        assert described, kind.name
        for text in described:
            assert [stage for stage, means in kind.row_class.stages.items() if f"`{stage}`: {means}" not in text] == []
    for name in ("DisbursementOut", "TopUpOut", "FloatOut", "CollectionOut"):
        status = schemas[name]["properties"]["status"]["description"]
        assert all(f"`{word}`: {means}" in status for word, means in MEANINGS.items())


def test_a_problem_is_shown_with_its_own_code() -> None:
    """What one operation refuses is of no use as the example of another."""
    answers = DOCUMENT["paths"]["/api/v1/keys"]["post"]["responses"]
    shown = answers["409"]["content"]["application/problem+json"]["examples"]
    assert {code: one["value"]["code"] for code, one in shown.items()} == {
        "name_taken": "name_taken", "idempotency_key_reused": "idempotency_key_reused"
    }  # fmt: skip
