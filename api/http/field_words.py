"""What is wrong with a field, as a person says it. The rule's name beside it is for machines, and stays."""

from collections.abc import Mapping
from typing import Any, Final

from api.http.pattern_words import words_of

# Where the library's own sentence speaks of its insides ("String should match pattern …"). `{name}` is a fact of the rule.
_SENTENCES: Final[dict[str, str]] = {
    "missing": "Give this field",
    "extra_forbidden": "There is no such field here",
    "string_type": "Write it as text",
    "string_too_short": "Write at least {min_length} characters",
    "string_too_long": "Write at most {max_length} characters",
    "string_pattern_mismatch": "It has a character that is not allowed here, or not the form that it needs",
    "int_type": "Write it as a whole number",
    "int_parsing": "Write it as a whole number",
    "int_from_float": "Write it as a whole number",
    "int_parsing_size": "Write a smaller number",
    "float_type": "Write it as a number",
    "float_parsing": "Write it as a number",
    "finite_number": "Write it as a number",
    "bool_type": "Write true or false",
    "bool_parsing": "Write true or false",
    "dict_type": "Write it as an object",
    "model_type": "Write it as an object",
    "model_attributes_type": "Write it as an object",
    "list_type": "Write it as a list",
    "tuple_type": "Write it as a list",
    "too_long": "Give at most {max_length}",
    "too_short": "Give at least {min_length}",
    "greater_than": "It must be more than {gt}",
    "greater_than_equal": "It must be at least {ge}",
    "less_than": "It must be less than {lt}",
    "less_than_equal": "It must be at most {le}",
    "literal_error": "It must be one of {expected}",
    "enum": "It must be one of {expected}",
    "timezone_aware": "Name the time zone, such as 2026-11-21T06:14:03Z",
    "datetime_parsing": "Write it as a time with its zone, such as 2026-11-21T06:14:03Z",
    "datetime_from_date_parsing": "Write it as a time with its zone, such as 2026-11-21T06:14:03Z",
    "datetime_type": "Write it as a time with its zone, such as 2026-11-21T06:14:03Z",
    "datetime_object_invalid": "Write it as a time with its zone, such as 2026-11-21T06:14:03Z",
    "date_parsing": "Write it as a day, such as 2026-11-21",
    "date_from_datetime_inexact": "Write it as a day, such as 2026-11-21",
    "date_from_datetime_parsing": "Write it as a day, such as 2026-11-21",
    "date_type": "Write it as a day, such as 2026-11-21",
}


# How the library's own sentences begin; what a rule of ours says stands as it is.
LIBRARY: Final = ("Field required", "Extra inputs", "String should", "Input should", "Value should", "List should",
                   "Tuple should", "Dictionary should", "Set should", "Datetimes", "Unable to")  # fmt: skip


def sentence(rule: str, said: str, facts: Mapping[str, Any]) -> str:
    """`said` is the library's sentence, `facts` its context of the error."""
    words = _SENTENCES.get(rule)
    if rule == "string_pattern_mismatch":
        words = words_of(str(facts.get("pattern"))) or words
    if words is None or not said.startswith(LIBRARY):
        return said
    try:
        return words.format_map(facts)
    except (KeyError, IndexError):
        return said
