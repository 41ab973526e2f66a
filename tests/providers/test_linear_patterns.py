"""Every regular expression of the providers' modules takes time in proportion to the text, whatever the text."""

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator

import pytest

import providers
from core.texts import clean
from providers.daraja.inbox import scrub
from providers.facts import PLAIN_SIGNS, amount_of, carried
from providers.ncba.envelope import read_envelope

SIZE = 200_000
# A quadratic search of so much text takes from twenty seconds on; a linear one, some thousandths.
SECONDS = 2.0


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    for module in pkgutil.walk_packages(providers.__path__, "providers."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern):
                yield f"{module.name}.{name}", value


NASTY = {
    "blanks": " " * SIZE,
    "tabs and breaks": "\t\n" * (SIZE // 2),
    "no-break blanks": "\xa0" * SIZE,
    "digits": "7" * SIZE,
    "digits and blanks": "254712 " * (SIZE // 7),
    "numbers": "254712000111 " * (SIZE // 13),
    "letters": "a" * SIZE,
    "hyphens": "-" * SIZE,
    "openings": "<!" * (SIZE // 2),
    "openings and blanks": ("<!" + " " * 98) * (SIZE // 100),
    "ampersands": "&#" * (SIZE // 2),
    "references": "pay_00000000000000000000000000-a" * (SIZE // 32),
    "a long reference": "pay_00000000000000000000000000-a" + "1" * SIZE,
    "commas": "1,000" * (SIZE // 5),
    "slashes": "/00" * (SIZE // 3),
    "bank ids": "FT26014" * (SIZE // 7),
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_no_pattern_is_slow_on_any_text(text: str) -> None:
    found = dict(patterns())
    assert len(found) > 20
    for name, pattern in found.items():
        began = time.perf_counter()
        pattern.search(text)
        pattern.fullmatch(text)
        pattern.sub("", text)
        pattern.search(f"x{text}x")
        assert time.perf_counter() - began < SECONDS, name


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_nothing_that_reads_a_strangers_text_is_slow(text: str) -> None:
    began = time.perf_counter()
    clean(text, 300)
    carried(text, 100, PLAIN_SIGNS)
    amount_of(text, "KES")
    scrub({"BillRefNumber": text, "msisdn": text})
    with pytest.raises(Exception, match="not an NCBA account push"):
        read_envelope(text[:65_000].encode())
    assert time.perf_counter() - began < SECONDS
