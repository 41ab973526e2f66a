"""What is wrong with a field is said without the library's insides."""

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from api.http.field_words import sentence
from api.http.pattern_words import words_of
from api.http.values import id_pattern
from tests.api.conftest import Door
from tests.api.money import TOP_UP, rich_lender, say
from tests.support.openapi import document


class Given(BaseModel):
    """One field of each kind that requests have."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, StringConstraints(strict=True, min_length=2, max_length=4)] = "ab"
    code: Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{5,7}$")] = "12345"
    strange: Annotated[str, StringConstraints(pattern=r"^a+$")] = "a"
    number: Annotated[int, Field(strict=True, ge=1, le=9)] = 1
    flag: Annotated[bool, Field(strict=True)] = True
    word: Literal["en", "sw"] = "en"
    when: AwareDatetime | None = None
    day: date | None = None
    seconds: float = 0
    some: list[int] = Field(default=[], max_length=2)
    named: dict[str, str] = {}


def said(**given: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        Given.model_validate(given)
    (error,) = refused.value.errors()
    return sentence(error["type"], error["msg"], error.get("ctx") or {})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"text": 7}, "Write it as text"),
        ({"text": "a"}, "Write at least 2 characters"),
        ({"text": "abcde"}, "Write at most 4 characters"),
        ({"code": "12a"}, "Write the 5 to 7 digits of a short code"),
        ({"strange": "b"}, "It has a character that is not allowed here, or not the form that it needs"),
        ({"number": 0}, "It must be at least 1"),
        ({"number": 10}, "It must be at most 9"),
        ({"number": "1"}, "Write it as a whole number"),
        ({"flag": "yes"}, "Write true or false"),
        ({"word": "fr"}, "It must be one of 'en' or 'sw'"),
        ({"when": "2026-11-21T06:14:03"}, "Name the time zone, such as 2026-11-21T06:14:03Z"),
        ({"when": "soon"}, "Write it as a time with its zone, such as 2026-11-21T06:14:03Z"),
        ({"day": "today"}, "Write it as a day, such as 2026-11-21"),
        ({"day": "2026-11-21T06:14:03"}, "Write it as a day, such as 2026-11-21"),
        ({"seconds": "few"}, "Write it as a number"),
        ({"number": "9" * 5000}, "Write it as a whole number"),
        ({"some": ["9" * 5000]}, "Write a smaller number"),
        ({"some": [1, 2, 3]}, "Give at most 2"),
        ({"some": 1}, "Write it as a list"),
        ({"named": []}, "Write it as an object"),
        ({"wrong": 1}, "There is no such field here"),
    ],
)
def test_a_rule_of_the_library_is_told_as_a_person_says_it(given: dict[str, Any], words: str) -> None:
    assert said(**given) == words


def test_a_rule_of_ours_is_told_in_its_own_words() -> None:
    error = PydanticCustomError("missing", "Prompts to buy goods need the till's number")
    assert sentence("missing", error.message(), {}) == "Prompts to buy goods need the till's number"
    assert sentence("four_eyes", "Another person must.", {}) == "Another person must."


def test_a_sentence_whose_facts_are_missing_falls_back_to_the_librarys() -> None:
    assert sentence("string_too_short", "String should have at least 2 characters", {}) == (
        "String should have at least 2 characters"
    )


def patterns() -> set[str]:
    """Every form that a field or parameter of the API's document has."""
    found: set[str] = set()
    waiting: list[Any] = [document()]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            found |= {one["pattern"]} if isinstance(one.get("pattern"), str) else set()
            found |= set(one.get("patternProperties", ()))
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return found


def test_every_form_that_a_text_must_have_has_words() -> None:
    assert len(patterns()) > 20
    assert [pattern for pattern in patterns() if words_of(pattern) is None] == []


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (id_pattern("prt"), "Give an id of ours: prt_ and 26 letters and digits"),
        ("^(claims.move|contacts.authorise)$", "It must be one of claims.move, contacts.authorise"),
    ],
)
def test_forms_that_differ_in_a_word_share_theirs(pattern: str, words: str) -> None:
    assert words_of(pattern) == words


async def test_callers_meet_no_pattern_and_no_type_of_ours(door: Door) -> None:
    partner_id = await rich_lender(door)
    wrong = {"amount": {"amount": "1,5", "currency": "kes"}, "phone": 7, "partner_id": partner_id}
    answer = await say(door.admin, "/top-ups", {**TOP_UP, **wrong})
    assert answer.status_code == 422
    for inside in ("pattern '", "String should", "Input should", "[0-9]", "type=", "pydantic"):
        assert inside not in answer.text
