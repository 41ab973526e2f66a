"""What people read of an error names none of our calls."""

import ast
import re
from pathlib import Path

import pytest

from core.errors import InvalidRequest, NoAnswer, NotReached
from core.plain_words import CALLS, in_plain_words

PROVIDERS = Path(__file__).resolve().parents[2] / "providers"
# Through these, a call's name reaches the exchange log and, with it, the details of errors.
CALLERS = {"call", "_call", "read", "send", "_may_read", "_submit", "_acknowledged", "_answer"}
NAME = re.compile(r"[a-z_0-9]+(\.[a-z_0-9]+)*")


def names_of_calls() -> set[str]:
    found = set()
    for path in PROVIDERS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
                continue
            first = node.args[0]
            if node.func.attr in CALLERS and isinstance(first, ast.Constant) and NAME.fullmatch(str(first.value)):
                found.add(str(first.value))
    return found


def test_every_call_of_a_provider_has_words() -> None:
    names = names_of_calls()
    assert {"loans.read", "stk.send", "transfer", "sms.send"} <= names
    assert names <= set(CALLS), sorted(names - set(CALLS))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "says", ["fineract did not answer {}.", "Daraja answered {} with HTTP 500.", "The bank refused the {} (X1)."]
)
def test_no_error_names_a_call(name: str, says: str) -> None:
    detail = NoAnswer(says.format(name)).detail
    assert CALLS[name] in detail
    if "." in name:
        assert name not in detail


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("fineract did not answer loans.read (Timeout).", "Fineract did not answer the question about a loan (Timeout)."),
        ("daraja could not be reached.", "M-Pesa could not be reached."),
        ("reference_bank answered find with HTTP 502 and nothing that can be read.",
         "The bank answered the question about a movement with HTTP 502 and nothing that can be read."),
        ("Fineract answered brand_new.call with HTTP 500.", "Fineract answered our request with HTTP 500."),
        ("The customer refused to answer.", "The customer refused to answer."),
        ("Fineract refused the disbursal: future_date.", "Fineract refused the disbursal: future_date."),
    ],
)  # fmt: skip
def test_sentences_stay_sentences(said: str, read: str) -> None:
    assert in_plain_words(said) == read
    assert str(NotReached(said)).endswith(read)
    assert InvalidRequest(said).args == (read,)
