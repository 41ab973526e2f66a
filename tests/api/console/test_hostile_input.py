"""Somebody signed in who sends what no page of ours would send."""

from typing import Any

import pytest

from core.ids import new_id
from tests.api.console.conftest import Street
from tests.api.http.test_hostile_input import _PARAMETER, PATHS, routes

CONSOLE = [(method, path) for method, path in routes("GET", "POST") if path.startswith("/console/")]
TEXTS = ["\x00", "\ud800", "\u202egnp", "a\nb", "x" * 3000, "{{7*7}}", "<script>", "%s%n", "'; DROP TABLE people; --"]


async def test_no_address_is_a_fault_of_ours(street: Street) -> None:
    browser = await street.signed_in("admin")
    wrong = []
    for method, template in CONSOLE:
        for hostile in PATHS if "{" in template else []:
            answer = await browser.client.request(
                method, _PARAMETER.sub(hostile, template), data={"csrf": browser.csrf}
            )
            if answer.status_code not in (200, 303, 403, 404, 405, 422):
                wrong.append((method, template, hostile[:20], answer.status_code))
    assert len(CONSOLE) > 30
    assert wrong == []


@pytest.mark.parametrize("text", TEXTS)
async def test_no_field_is_a_fault_of_ours(street: Street, text: str) -> None:
    browser = await street.signed_in("admin")
    fields: dict[str, Any] = {
        name: text.encode("utf-8", "surrogatepass")
        for name in ("email", "password", "code", "then", "language", "timezone", "new", "again", "offer", "note",
                     "decision", "evidence", "receipt", "paid_at", "transaction_id", "proposal", "seen", "reason",
                     "q", "id", "version", "kind_1", "account_1", "amount_1", "over_1")
    }  # fmt: skip
    wrong = []
    for template in [path for method, path in CONSOLE if method == "POST" and "sign-out" not in path]:
        path = (
            template.replace("{row_id}", f"top_{'0' * 26}")
            .replace("{case_id}", f"cas_{'0' * 26}")
            .replace("{request_id}", f"apr_{'0' * 26}")
            .replace("{token}", "x")
        )
        for given in (fields, {"key": new_id("frm"), **fields}):
            answer = await browser.client.post(path, data={"csrf": browser.csrf, **given})
            if answer.status_code not in (403, 404, 422, 429):
                wrong.append((path, answer.status_code))
            assert "{{7*7}}" not in answer.text or "49" not in answer.text
    assert wrong == []


async def test_a_form_of_another_kind_is_none(street: Street) -> None:
    browser = await street.signed_in("admin")
    for headers, content in (
        ({"content-type": "application/json"}, b'{"csrf": 1}'),
        ({"content-type": "multipart/form-data; boundary=x"}, b"--x\r\nbroken"),
        ({"content-type": "multipart/form-data; boundary=x"},
         b'--x\r\nContent-Disposition: form-data; name="csrf"; filename="a"\r\n\r\nb\r\n--x--\r\n'),
        ({"content-type": "text/plain"}, b"csrf=x"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"&".join(b"a%d=1" % n for n in range(3000))),
    ):  # fmt: skip
        answer = await browser.client.post("/console/account/ways", content=content, headers=headers)
        assert answer.status_code in (400, 403, 422), (headers, answer.status_code)
