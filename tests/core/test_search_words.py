"""What somebody typed, read in every way that it may be meant."""

import pytest

from core.search_words import LONGEST, name_words, read

ID = "dsb_01ktv0r5m8e9a7d3c2b4x6y8z0"


@pytest.mark.parametrize(
    "text",
    ["0712345678", "254712345678", "+254712345678", "+254 712 345 678", "0712 345 678", " 0712-345-678 ", "712345678"],
)
def test_a_phone_is_one_however_it_is_spelt(text: str) -> None:
    assert read(text, regions=["KE", "UG"]).phones[0] == "+254712345678"


def test_a_phone_without_a_country_is_read_in_each_of_those_there_are() -> None:
    assert set(read("0772345678", regions=["KE", "UG"]).phones) == {"+254772345678", "+256772345678"}
    assert read("0712345678").phones == ()


def test_digits_are_a_number_too_as_far_as_the_database_has_one() -> None:
    assert read("91").number == 91
    assert read("000000091").number == 91
    assert read(str(2**63 - 1)).number == 2**63 - 1
    for text in (str(2**63), "9" * 40, "-1", "1.5", "٤٢", "²"):
        assert read(text).number is None, text


def test_an_id_is_known_by_its_prefix_whole_or_in_part() -> None:
    whole = read(ID.upper())
    assert (whole.prefix, whole.ids, whole.is_whole_id) == ("dsb", (ID, ID), True)
    part = read(ID[:14])
    assert part.ids == (ID[:14] + "0" * 16, ID[:14] + "z" * 16)
    assert part.ids[0] <= ID <= part.ids[1]
    assert not part.is_whole_id
    for text in ("dsb_01", "dsb_" + "u" * 26, ID + "0", "dsb_%%%%%%%%", "91"):
        assert read(text).ids is None, text
    assert read(f"pay_{ID[4:]}-a1").ids is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Jane Wanjiku", ("jane", "wanjiku")),
        ("WANJIKU  jane", ("jane", "wanjiku")),
        ("Wanjikũ Njérî", ("njeri", "wanjiku")),
        ("Ng'ang'a O’Brien-Ouko", ("nganga", "obrien", "ouko")),
        ("J. K. Mwangi", ("mwangi",)),
        ("Mwangi Mwangi", ("mwangi",)),
        ("🙂 ' OR 1=1 --", ("or",)),
        ("%", ()),
    ],
)
def test_a_name_is_its_words_whatever_their_order_case_and_accents(name: str, words: tuple[str, ...]) -> None:
    assert name_words(name) == words


def test_a_name_has_at_most_so_many_words_and_they_end() -> None:
    assert len(name_words(" ".join(f"{'a' * n}b" for n in range(1, 40)))) == 6
    assert max(len(word) for word in name_words("x" * LONGEST * 10)) == 40


def test_what_holds_a_digit_is_no_name() -> None:
    assert read("UKL4X7QW2D").name == ()
    assert read("Jane").name == ("jane",)


def test_a_text_is_looked_up_as_it_is_in_capitals_and_in_small_letters_each_once() -> None:
    assert read("Ab").spellings == ("Ab", "AB", "ab")
    assert read("12").spellings == ("12",)
