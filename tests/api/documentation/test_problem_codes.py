"""Every code that a problem can have is explained, with its status, and nothing is explained that nobody says."""

import pytest

from api.documentation.reasons import reason_codes, reasons, without_advice
from api.http.problem_words import WORDS
from api.http.problems import EXAMPLES, example_of
from tests.support import problem_codes

CODES = problem_codes.produced()


def test_the_source_is_really_read() -> None:
    assert {"wrong_stage", "malformed_json", "code_expired", "database_unavailable", "gap", "scope_missing"} <= set(
        CODES
    )
    assert len(CODES) > 200


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_code_of_the_source_has_an_entry(code: str) -> None:
    assert code in WORDS or reasons(code), f"{code} ({CODES[code]}) is not in api/http/problem_words.py"


def test_every_entry_is_a_code_that_is_said() -> None:
    assert set(WORDS) - set(CODES) == set()


def test_an_entry_names_the_statuses_that_its_code_comes_with() -> None:
    found = [
        (code, status, where)
        for code, status, where in problem_codes.statuses()
        if code in WORDS and status not in WORDS[code].statuses
    ]
    assert found == []
    assert [code for status, (code, *_) in EXAMPLES.items() if status not in WORDS[code].statuses] == []


@pytest.mark.parametrize("code", sorted(WORDS))
def test_an_entry_is_whole_sentences(code: str) -> None:
    words = WORDS[code]
    for said in (words.means, words.do):
        assert said[0].isupper() or said[0] == "`"
        assert said.endswith((".", "`."))
    assert example_of(code)["type"] == f"/problems/{code}"


def test_a_reason_always_says_what_to_do() -> None:
    assert without_advice() == set()
    assert [code for code in reason_codes() for reason in reasons(code) if not reason.do.endswith(".")] == []


def test_a_providers_number_means_one_thing_of_payouts_and_another_of_prompts() -> None:
    assert [(one.about, one.means) for one in reasons("8006")] == [
        ("Of a payout", "M-Pesa does not let your short code pay; the connection must be mended."),
        ("Of a prompt to a payer", "The payer's PIN is locked."),
    ]
