"""Wrong input at every endpoint that writes gets a problem that names the field and its rule."""

import json
from typing import Any

import pytest

from core.ids import new_id
from tests.api.conftest import Door

KES = {"amount": "100.00", "currency": "KES"}
UGX = {"amount": "100", "currency": "UGX"}
LIMITS = {"enabled": True, "minimum": KES, "maximum": KES}
FINERACT = {"base_url": "https://bank.example/fineract-provider/api", "username": "u", "password": "p"}
DARAJA = {
    "base_url": "https://mpesa.example", "shortcode": "600997", "initiator_name": "k", "initiator_password": "p",
    "certificate_pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "consumer_key": "c",
    "consumer_secret": "s",
}  # fmt: skip
BAND = {"charge": "sms", "from_amount": KES, "to_amount": KES, "fee": KES, "valid_from": "2027-01-01T00:00:00Z"}
RESOLVE = {"decision": "paid", "evidence": "seen on the portal"}

P, D, C, K = "{partner}", "{disbursement}", "{case}", "{key}"
KEYS, PARTNERS, ONE = "/keys", "/partners", f"/partners/{P}"
CREDITS, PRODUCT, LOANS = f"/partners/{P}/wallet/credits", f"/partners/{P}/loan-products/1", "/disbursements"

WRONG: list[tuple[str, str, Any, str, str]] = [
    # method, path, body, the field that is named, its rule
    ("POST", KEYS, {}, "name", "missing"),
    ("POST", KEYS, {"name": "x", "scopes": []}, "scopes", "too_short"),
    ("POST", KEYS, {"name": "x", "scopes": ["all"]}, "scopes.0", "literal_error"),
    ("POST", KEYS, {"name": "x", "scopes": ["admin", "admin"]}, "scopes", "repeated"),
    ("POST", KEYS, {"name": "x", "scopes": ["admin"], "partner_id": "prt_x"}, "partner_id", "string_pattern_mismatch"),
    ("POST", KEYS, {"name": "a\u0000b", "scopes": ["admin"]}, "name", "string_pattern_mismatch"),
    ("POST", KEYS, {"name": "a\ud800b", "scopes": ["admin"]}, "name", "string_unicode"),
    ("POST", KEYS, {"name": "x", "scopes": ["admin"], "admin": True}, "admin", "extra_forbidden"),
    ("POST", KEYS, [], "body", "model_attributes_type"),
    ("DELETE", "/keys/nonsense", None, "key_id", "string_pattern_mismatch"),
    ("POST", PARTNERS, {"currency": "KES"}, "name", "missing"),
    ("POST", PARTNERS, {"name": "   "}, "name", "string_too_short"),
    ("POST", PARTNERS, {"name": "x", "currency": "XXX"}, "currency", "unknown_currency"),
    ("POST", PARTNERS, {"name": "x", "country": "Kenya"}, "country", "string_pattern_mismatch"),
    ("POST", PARTNERS, {"name": "x", "timezone": "Africa"}, "timezone", "unknown_timezone"),
    ("POST", PARTNERS, {"name": "x", "timezone": "../../etc/passwd"}, "timezone", "unknown_timezone"),
    ("POST", PARTNERS, {"name": "x", "language": "fr"}, "language", "literal_error"),
    ("POST", PARTNERS, {"name": "x", "low_balance": 5}, "low_balance", "model_attributes_type"),
    ("POST", PARTNERS, {"name": "x", "low_balance": UGX}, "low_balance.currency", "currency_differs"),
    ("POST", PARTNERS, {"name": "x", "fineract": {**FINERACT, "base_url": "ftp://x"}}, "fineract.base_url",
     "string_pattern_mismatch"),
    ("POST", PARTNERS, {"name": "x", "fineract": {**FINERACT, "base_url": "https://x:99999"}}, "fineract.base_url",
     "url_parsing"),
    ("POST", PARTNERS, {"name": "x", "fineract": {**FINERACT, "password": ""}}, "fineract.password", "too_short"),
    ("POST", PARTNERS, {"name": "x", "fineract": {**FINERACT, "provider": "daraja"}}, "fineract.provider",
     "extra_forbidden"),
    ("POST", PARTNERS, {"name": "x", "fineract": {**FINERACT, "trust": {"ca_pem": "no"}}}, "fineract.trust.ca_pem",
     "bad_certificate"),
    ("POST", PARTNERS, {"name": "x", "daraja": DARAJA}, "daraja.certificate_pem", "bad_certificate"),
    ("POST", PARTNERS, {"name": "x", "contacts": [{"name": "A"}]}, "contacts.0", "unreachable"),
    ("POST", PARTNERS, {"name": "x", "contacts": [{"name": "A", "phone": "12"}]}, "contacts.0.phone", "value_error"),
    ("PATCH", ONE, {"status": "gone"}, "status", "literal_error"),
    ("PATCH", ONE, {"hook_secret": "mine"}, "hook_secret", "extra_forbidden"),
    ("PATCH", ONE, {"low_balance": UGX}, "low_balance.currency", "currency_differs"),
    ("PATCH", "/partners/nobody", {}, "partner_id", "string_pattern_mismatch"),
    ("PUT", f"{ONE}/connections/fineract", {**FINERACT, "timezone": "Mars"}, "timezone", "unknown_timezone"),
    ("PUT", f"{ONE}/connections/daraja", {**DARAJA, "shortcode": "12a"}, "shortcode", "string_pattern_mismatch"),
    ("PUT", f"{ONE}/connections/daraja", {**DARAJA, "max_payout": 1.5}, "max_payout", "int_type"),
    ("POST", f"{ONE}/connections/visa/check", None, "provider", "literal_error"),
    ("POST", f"{ONE}/contacts", {"name": "A", "email": "a b@x"}, "email", "string_pattern_mismatch"),
    ("POST", f"{ONE}/contacts", {"name": "A", "email": "a@x.y\r\nBcc: b@x.y"}, "email", "string_pattern_mismatch"),
    ("POST", f"{ONE}/contacts", {"name": "A", "email": "a@x.y", "role": "boss"}, "role", "literal_error"),
    ("DELETE", f"{ONE}/contacts/x", None, "contact_id", "string_pattern_mismatch"),
    ("POST", "/partners/x/loan-products/fetch", None, "partner_id", "string_pattern_mismatch"),
    ("PUT", PRODUCT, {**LIMITS, "enabled": "yes"}, "enabled", "bool_type"),
    ("PUT", PRODUCT, {**LIMITS, "maximum": {"amount": "50.00", "currency": "KES"}}, "maximum", "below_minimum"),
    ("PUT", PRODUCT, {**LIMITS, "minimum": UGX}, "minimum.currency", "currency_differs"),
    ("PUT", PRODUCT, {**LIMITS, "daily_limit": {"amount": "0", "currency": "KES"}}, "daily_limit", "not_positive"),
    ("PUT", f"/partners/{P}/loan-products/99999999999999999999", LIMITS, "product_id", "less_than_equal"),
    ("POST", CREDITS, {"amount": {"amount": 100, "currency": "KES"}, "reference": "abc"}, "amount.amount",
     "string_type"),
    ("POST", CREDITS, {"amount": {"amount": 1.5, "currency": "KES"}, "reference": "abc"}, "amount.amount",
     "string_type"),
    ("POST", CREDITS, {"amount": {"amount": "1.005", "currency": "KES"}, "reference": "abc"}, "amount.amount",
     "string_pattern_mismatch"),
    ("POST", CREDITS, {"amount": {"amount": "1.50", "currency": "UGX"}, "reference": "abc"}, "amount.amount",
     "decimal_places"),
    ("POST", CREDITS, {"amount": {"amount": "-1", "currency": "KES"}, "reference": "abc"}, "amount.amount",
     "string_pattern_mismatch"),
    ("POST", CREDITS, {"amount": {"amount": "1e3", "currency": "KES"}, "reference": "abc"}, "amount.amount",
     "string_pattern_mismatch"),
    ("POST", CREDITS, {"amount": {"amount": "0.00", "currency": "KES"}, "reference": "abc"}, "amount", "not_positive"),
    ("POST", CREDITS, {"amount": UGX, "reference": "abc"}, "amount.currency", "currency_differs"),
    ("POST", CREDITS, {"amount": KES, "reference": "a b"}, "reference", "string_pattern_mismatch"),
    ("POST", CREDITS, {"amount": KES, "reference": "abc", "note": "\u0000"}, "note", "string_pattern_mismatch"),
    ("POST", LOANS, {}, "loan_id", "missing"),
    ("POST", LOANS, None, "body", "missing"),
    ("POST", LOANS, {"loan_id": "91"}, "loan_id", "int_type"),
    ("POST", LOANS, {"loan_id": 91.0}, "loan_id", "int_type"),
    ("POST", LOANS, {"loan_id": True}, "loan_id", "int_type"),
    ("POST", LOANS, {"loan_id": 0}, "loan_id", "greater_than_equal"),
    ("POST", LOANS, {"loan_id": 2**63}, "loan_id", "less_than_equal"),
    ("POST", LOANS, {"loan_id": 91}, "partner_id", "missing"),
    ("POST", LOANS, {"loan_id": 91, "amount": KES}, "amount", "extra_forbidden"),
    ("POST", f"/disbursements/{D}/resolve", {**RESOLVE, "decision": "maybe"}, "decision", "literal_error"),
    ("POST", f"/disbursements/{D}/resolve", {"decision": "paid"}, "evidence", "missing"),
    ("POST", f"/disbursements/{D}/resolve", {**RESOLVE, "evidence": " a "}, "evidence", "string_too_short"),
    ("POST", f"/disbursements/{D}/resolve", {**RESOLVE, "receipt": "U K"}, "receipt", "string_pattern_mismatch"),
    ("POST", f"/disbursements/{D}/resolve", {**RESOLVE, "paid_at": "2026-11-21"}, "paid_at", "timezone_aware"),
    ("POST", f"/disbursements/{D}/resolve", {**RESOLVE, "paid_at": "9999-12-31T23:59:59-14:00"}, "paid_at",
     "year_out_of_range"),
    ("POST", f"/disbursements/{D}/retry", {"note": 5}, "note", "string_type"),
    ("POST", f"/disbursements/{D}/cancel", {"why": "x"}, "why", "extra_forbidden"),
    ("POST", f"/disbursements/{D}/cancel", {"note": "x" * 201}, "note", "string_too_long"),
    ("POST", f"/cases/{C}/close", {}, "reason", "missing"),
    ("POST", "/cases/x/close", {"reason": "seen"}, "case_id", "string_pattern_mismatch"),
    ("POST", "/tariffs", {"bands": []}, "bands", "too_short"),
    ("POST", "/tariffs", {"bands": [{**BAND, "charge": "tea"}]}, "bands.0.charge", "literal_error"),
    ("POST", "/tariffs", {"bands": [{**BAND, "fee": UGX}]}, "bands.0.fee.currency", "currency_differs"),
    ("POST", "/tariffs", {"bands": [{**BAND, "valid_from": "2027-01-01T00:00:00"}]}, "bands.0.valid_from",
     "timezone_aware"),
    ("POST", "/tariffs", {"bands": [{**BAND, "from_amount": {"amount": "200", "currency": "KES"}}]},
     "bands.0.to_amount", "empty_band"),
    ("POST", "/tariffs", {"bands": [BAND, BAND]}, "bands.1.from_amount", "overlap"),
    ("POST", "/tariffs", {"bands": [
        BAND, {**BAND, "from_amount": {"amount": "100.02", "currency": "KES"},
               "to_amount": {"amount": "200.00", "currency": "KES"}},
    ]}, "bands.1.from_amount", "gap"),
]  # fmt: skip


@pytest.fixture(scope="module")
async def partner_id(shared_door: Door) -> str:
    return await shared_door.lender()


@pytest.mark.parametrize(("method", "path", "body", "field", "rule"), WRONG)
async def test_wrong_input_is_a_problem_that_names_the_field_and_the_rule(
    shared_door: Door, partner_id: str, method: str, path: str, body: Any, field: str, rule: str
) -> None:
    place = path.format(partner=partner_id, disbursement=new_id("dsb"), case=new_id("cas"), key=new_id("key"))
    # As ASCII, since httpx itself refuses to send half a surrogate pair.
    content = None if body is None else json.dumps(body)
    headers = {} if body is None else {"Content-Type": "application/json"}
    answer = await shared_door.admin.request(method, f"/api/v1{place}", content=content, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (field, rule) in [(error["field"], error["rule"]) for error in problem["errors"]], problem
    assert all(error["detail"] for error in problem["errors"])


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 129, "a\tb"])
@pytest.mark.parametrize("path", ["/keys", "/disbursements", "/tariffs"])
async def test_an_idempotency_key_is_visible_ascii(shared_door: Door, key: str, path: str) -> None:
    answer = await shared_door.admin.post(
        f"/api/v1{path}", json={}, headers=[(b"Idempotency-Key", key.encode("latin-1"))]
    )
    assert answer.status_code == 422
    assert "Idempotency-Key" in [error["field"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/partners?limit=0", "limit"),
        ("/partners?limit=many", "limit"),
        ("/partners?cursor=%00", "cursor"),
        ("/disbursements?stage=lost", "stage"),
        ("/disbursements?partner_id=x", "partner_id"),
        ("/disbursements/x", "disbursement_id"),
        ("/exchanges?cursor=0", "cursor"),
        ("/exchanges?workflow_id=%00", "workflow_id"),
        ("/cases?state=lost", "state"),
        ("/tariffs?charge=tea", "charge"),
        ("/partners/%00", "partner_id"),
        ("/disbursements?partner=prt_x", "partner"),
        ("/cases?state=open&sort=id", "sort"),
    ],
)
async def test_a_wrong_question_is_a_problem_that_names_the_parameter(shared_door: Door, path: str, field: str) -> None:
    answer = await shared_door.admin.get(f"/api/v1{path}")
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("path", ["/disbursements/{id}", "/disbursements/{id}/events"])
async def test_what_does_not_exist_is_not_found(shared_door: Door, path: str) -> None:
    answer = await shared_door.admin.get(f"/api/v1{path.format(id=new_id('dsb'))}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_no_answer_quotes_what_was_sent(shared_door: Door) -> None:
    body = {"name": "x", "fineract": {**FINERACT, "base_url": "ftp://hunter2", "password": "hunter2\x00"}}
    answer = await shared_door.admin.post("/api/v1/partners", json=body)
    assert answer.status_code == 422
    assert "hunter2" not in answer.text
