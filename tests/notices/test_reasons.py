"""Every reason that the code base can give has a sentence in both languages; what is unknown gets a neutral one."""

import pytest

from models.messages.errors import ErrorFacts
from notices.reason_words import WORDS
from notices.reasons import LANGUAGES, has_words, sentence
from providers.daraja.result_codes import RESULT_CODES
from providers.daraja.stk import STK_FAILURES
from providers.daraja.wire import _STATUS
from providers.reference_bank.requests import REJECTIONS
from tests.support.reason_codes import of_payments

CODES = of_payments()
LONGEST = 90


def test_the_source_is_really_read() -> None:
    assert {"loan_not_approved", "no_answer", "account_closed", "insufficient_funds", "future_date"} <= set(CODES)
    assert len(CODES) > 100


@pytest.mark.parametrize("code", sorted(code for code in CODES if code))
def test_a_code_of_ours_has_a_sentence(code: str) -> None:
    assert has_words(code), f"{code} ({CODES[code]}) has no sentence in notices/reason_words.py"


@pytest.mark.parametrize("code", [code for code, meaning in RESULT_CODES.items() if not meaning.moved])
def test_a_result_code_of_a_payout_has_a_sentence(code: str) -> None:
    assert has_words(code, "payout"), code


@pytest.mark.parametrize("code", STK_FAILURES)
def test_a_result_code_of_a_prompt_has_a_sentence(code: str) -> None:
    assert has_words(code, "prompt"), code


@pytest.mark.parametrize("code", [word for word, state in _STATUS.items() if state == "failed"] + list(REJECTIONS))
def test_a_word_of_a_provider_has_a_sentence(code: str) -> None:
    assert has_words(code.lower(), "payout"), code


def test_a_number_means_another_thing_in_a_prompt() -> None:
    assert sentence("1", "en", "payout") != sentence("1", "en", "prompt")
    assert sentence("Expired", "en", "payout") == sentence("expired", "en", "payout")


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_whole_short_and_in_the_language(language: str) -> None:
    place = LANGUAGES.index(language) + 1
    for row in WORDS:
        assert row[place].endswith("."), row
        assert row[place][0].isupper(), row
        assert len(row[place]) <= LONGEST, row
        assert row[1] != row[2], row


def test_no_code_has_two_sentences() -> None:
    codes = [code for row in WORDS for code in row[0].split()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "code", ["", "brand_new", "99", "Nothing under what loans.read asked for", "x" * 5000, "\x1b[31m", "<b>"]
)
def test_an_unknown_code_gets_a_neutral_sentence(language: str, code: str) -> None:
    said = sentence(code, language)
    assert said.endswith(".")
    assert len(said) <= LONGEST
    assert said == sentence("brand_new", language).replace("brand_new", code) or "(" not in said


def test_a_detail_never_becomes_a_reason() -> None:
    """What travels to a message is the code alone; the detail may be a provider's English, or an operator's evidence."""
    facts = ErrorFacts(
        kind="rejected", code="not_found", detail="Fineract knows nothing under what loans.read asked for."
    )
    assert "Fineract" not in sentence(facts.code, "sw")
