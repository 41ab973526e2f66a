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

NCBA = {
    "dialect": "ncba", "base_url": "https://bank.example", "wallet_account": "1000200030", "wallet_name": "W",
    "b2c_account": "1000200047", "b2c_name": "B", "float_account": "600997", "float_name": "F", "username": "u",
    "password": "p", "subscription_key": "s", "push_user": "u", "push_password": "p", "push_secrets": ["s"],
}  # fmt: skip
REFERENCE = {
    **{name: value for name, value in NCBA.items() if name.endswith(("_account", "_name", "_secrets", "base_url"))},
    "dialect": "reference", "token": "t",
}  # fmt: skip
TILL = {"base_url": "https://till.example", "paybill": "880100", "account": "T1", "username": "u", "password": "p"}
FLOAT = {"operator": "mpesa", "amount": KES}
COLLECT = {"amount": KES, "phone": "+254712345678", "account": "000000091"}
PART = {"kind": "loan", "account": "000000091", "amount": KES}
ALLOCATE = {"decision": "allocate", "evidence": "the customer called"}

P, D, C, K = "{partner}", "{disbursement}", "{case}", "{key}"
T, F, L = "/top-ups/{top_up}", "/float-purchases/{purchase}", "/collections/{collection}"
BANK, PAYBILL = f"/partners/{P}/connections/bank", f"/partners/{P}/connections/daraja/register-paybill"
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
    ("POST", PARTNERS, {"name": "x", "contacts": [{"name": "A", "phone": "12"}]}, "contacts.0.phone", "invalid_msisdn"),
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
    ("PUT", f"{ONE}/connections/daraja", {**DARAJA, "passkey": ""}, "passkey", "too_short"),
    ("PUT", f"{ONE}/connections/daraja", {**DARAJA, "stk_shortcode": "6009"}, "stk_shortcode",
     "string_pattern_mismatch"),
    ("PUT", f"{ONE}/connections/daraja", {**DARAJA, "stk_type": "CustomerBuyGoodsOnline"}, "stk_party", "missing"),
    ("PUT", f"{ONE}/connections/daraja", {**DARAJA, "reject_unknown_accounts": "no"}, "reject_unknown_accounts",
     "bool_type"),
    ("POST", PARTNERS, {"name": "x", "bank": {**NCBA, "dialect": "equity"}}, "bank.dialect", "literal_error"),
    ("POST", PARTNERS, {"name": "x", "bank": {**NCBA, "token": "t"}}, "bank.token", "not_of_dialect"),
    ("POST", PARTNERS, {"name": "x", "bank": {**REFERENCE, "currency": "UGX"}}, "bank.currency", "currency_differs"),
    ("PUT", BANK, {**NCBA, "username": None}, "username", "missing"),
    ("PUT", BANK, {k: v for k, v in NCBA.items() if k != "subscription_key"}, "subscription_key", "missing"),
    ("PUT", BANK, {k: v for k, v in NCBA.items() if k != "push_password"}, "push_password", "missing"),
    ("PUT", BANK, {**REFERENCE, "token": None}, "token", "missing"),
    ("PUT", BANK, {**REFERENCE, "password": "p"}, "password", "not_of_dialect"),
    ("PUT", BANK, {**REFERENCE, "till": TILL}, "till", "not_of_dialect"),
    ("PUT", BANK, {**NCBA, "till": {k: v for k, v in TILL.items() if k != "password"}}, "till.password", "missing"),
    ("PUT", BANK, {**NCBA, "till": {**TILL, "paybill": "x"}}, "till.paybill", "string_pattern_mismatch"),
    ("PUT", BANK, {**NCBA, "push_secrets": []}, "push_secrets", "too_short"),
    ("PUT", BANK, {**NCBA, "push_secrets": [""]}, "push_secrets.0", "too_short"),
    ("PUT", BANK, {**NCBA, "b2c_account": "1000200030"}, "b2c_account", "same_account"),
    ("PUT", BANK, {**NCBA, "wallet_account": "10 20"}, "wallet_account", "string_pattern_mismatch"),
    ("PUT", BANK, {**NCBA, "float_account": "ABC-1"}, "float_account", "not_a_short_code"),
    ("PUT", BANK, {**NCBA, "settlement_window_minutes": 0}, "settlement_window_minutes", "greater_than_equal"),
    ("PUT", "/partners/x/connections/bank", NCBA, "partner_id", "string_pattern_mismatch"),
    ("POST", PAYBILL, {}, "nominated_phone", "missing"),
    ("POST", PAYBILL, {"nominated_phone": "12"}, "nominated_phone", "invalid_msisdn"),
    ("POST", PAYBILL, {"nominated_phone": "+254711000222", "unanswered": "Maybe"}, "unanswered", "literal_error"),
    ("POST", "/top-ups", {}, "amount", "missing"),
    ("POST", "/top-ups", {"amount": "100"}, "amount", "model_attributes_type"),
    ("POST", "/top-ups", {"amount": {"amount": "0", "currency": "KES"}}, "amount", "not_positive"),
    ("POST", "/top-ups", {"amount": {"amount": 100, "currency": "KES"}}, "amount.amount", "string_type"),
    ("POST", "/top-ups", {"amount": KES, "phone": 712345678}, "phone", "string_type"),
    ("POST", "/top-ups", {"amount": KES, "partner_id": "prt_x"}, "partner_id", "string_pattern_mismatch"),
    ("POST", "/top-ups", {"amount": KES, "reference": "KVT1"}, "reference", "extra_forbidden"),
    ("POST", "/top-ups", {"amount": KES}, "partner_id", "missing"),
    ("POST", f"{T}/resolve", {"decision": "posted", "evidence": "seen"}, "decision", "literal_error"),
    ("POST", f"{T}/resolve", {"decision": "allocate"}, "evidence", "missing"),
    ("POST", f"{T}/resolve", {**ALLOCATE, "allocations": [PART]}, "allocations", "extra_forbidden"),
    ("POST", f"{T}/resolve", {**RESOLVE, "receipt": "FT 1"}, "receipt", "string_pattern_mismatch"),
    ("POST", f"{T}/retry", {"note": 5}, "note", "string_type"),
    ("POST", f"{T}/cancel", {"why": "x"}, "why", "extra_forbidden"),
    ("POST", "/top-ups/x/cancel", {}, "top_up_id", "string_pattern_mismatch"),
    ("POST", "/float-purchases/quotes", {"operator": "mpesa"}, "amount", "missing"),
    ("POST", "/float-purchases/quotes", {**FLOAT, "operator": "orange"}, "operator", "literal_error"),
    ("POST", "/float-purchases/quotes", FLOAT, "partner_id", "missing"),
    ("POST", "/float-purchases", FLOAT, "expected_total", "missing"),
    ("POST", "/float-purchases", {**FLOAT, "expected_total": {"amount": "1e3", "currency": "KES"}},
     "expected_total.amount", "string_pattern_mismatch"),
    ("POST", f"{F}/confirm", {}, "code", "missing"),
    ("POST", f"{F}/confirm", {"code": "12345"}, "code", "string_pattern_mismatch"),
    ("POST", f"{F}/confirm", {"code": 123456}, "code", "string_type"),
    ("POST", "/float-purchases/x/confirm", {"code": "123456"}, "purchase_id", "string_pattern_mismatch"),
    ("POST", f"{F}/resend-code", {"code": "123456"}, "code", "extra_forbidden"),
    ("POST", f"{F}/resolve", {**RESOLVE, "decision": "allocate"}, "decision", "literal_error"),
    ("POST", f"{F}/resolve", {**RESOLVE, "reference": "pay x"}, "reference", "string_pattern_mismatch"),
    ("POST", f"{F}/retry", [], "body", "model_attributes_type"),
    ("POST", f"{F}/cancel", {"note": "x" * 201}, "note", "string_too_long"),
    ("POST", "/collections", {**COLLECT, "phone": None}, "phone", "string_type"),
    ("POST", "/collections", {**COLLECT, "account": " "}, "account", "string_too_short"),
    ("POST", "/collections", {**COLLECT, "account": "91\u0000"}, "account", "string_pattern_mismatch"),
    ("POST", "/collections", {**COLLECT, "account": 91}, "account", "string_type"),
    ("POST", "/collections", COLLECT, "partner_id", "missing"),
    ("POST", f"{L}/resolve", {**ALLOCATE, "decision": "partial"}, "decision", "literal_error"),
    ("POST", f"{L}/resolve", {**ALLOCATE, "allocations": [{**PART, "kind": "share"}]}, "allocations.0.kind",
     "literal_error"),
    ("POST", f"{L}/resolve", {**ALLOCATE, "allocations": [{**PART, "amount": {"amount": "0", "currency": "KES"}}]},
     "allocations.0.amount", "not_positive"),
    ("POST", f"{L}/resolve", {**ALLOCATE, "allocations": [PART] * 21}, "allocations", "too_long"),
    ("POST", f"{L}/resolve", {**RESOLVE, "decision": "posted", "transaction_id": "1"}, "transaction_id", "int_type"),
    ("POST", f"{L}/resolve", {**RESOLVE, "paid_at": "2026-11-21"}, "paid_at", "timezone_aware"),
    ("POST", f"{L}/retry", {"note": "\u0000"}, "note", "string_pattern_mismatch"),
    ("POST", f"{L}/cancel", {"why": "x"}, "why", "extra_forbidden"),
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
    place = path.format(
        partner=partner_id, disbursement=new_id("dsb"), case=new_id("cas"), key=new_id("key"), top_up=new_id("top"),
        purchase=new_id("flt"), collection=new_id("col"),
    )  # fmt: skip
    # As ASCII, since httpx itself refuses to send half a surrogate pair.
    content = None if body is None else json.dumps(body)
    headers = {} if body is None else {"Content-Type": "application/json"}
    headers["Idempotency-Key"] = new_id("idk")  # some want one, and none minds it
    answer = await shared_door.admin.request(method, f"/api/v1{place}", content=content, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (field, rule) in [(error["field"], error["rule"]) for error in problem["errors"]], problem
    assert all(error["detail"] for error in problem["errors"])


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 129, "a\tb"])
@pytest.mark.parametrize(
    "path", ["/keys", "/disbursements", "/tariffs", "/top-ups", "/float-purchases", "/collections"]
)
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
        ("/disbursements?partner=prt_x", "partner"),
        ("/top-ups?stage=paying", "stage"),
        ("/top-ups/x", "top_up_id"),
        ("/top-ups?method=prompt", "method"),
        ("/float-purchases?stage=lost", "stage"),
        ("/float-purchases/quotes", "purchase_id"),
        ("/collections?cursor=x", "cursor"),
        ("/collections/x/events", "collection_id"),
        ("/partners/x/connections/bank/address", "partner_id"),
        ("/partners/prt_01ktv0r5m8e9a7d3c2b4x6y8z0/connections/airtel/address", "provider"),
        ("/cases?state=open&sort=id", "sort"),
    ],
)
async def test_a_wrong_question_is_a_problem_that_names_the_parameter(shared_door: Door, path: str, field: str) -> None:
    answer = await shared_door.admin.get(f"/api/v1{path}")
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("last", ["", "/events"])
@pytest.mark.parametrize(
    ("path", "prefix"),
    [("disbursements", "dsb"), ("top-ups", "top"), ("float-purchases", "flt"), ("collections", "col")],
)
async def test_what_does_not_exist_is_not_found(shared_door: Door, path: str, prefix: str, last: str) -> None:
    answer = await shared_door.admin.get(f"/api/v1/{path}/{new_id(prefix)}{last}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_no_answer_quotes_what_was_sent(shared_door: Door) -> None:
    body = {"name": "x", "fineract": {**FINERACT, "base_url": "ftp://hunter2", "password": "hunter2\x00"}}
    answer = await shared_door.admin.post("/api/v1/partners", json=body)
    assert answer.status_code == 422
    assert "hunter2" not in answer.text
