import pytest
from pydantic import BaseModel, ValidationError

from core.errors import InvalidRequest
from core.msisdn import Msisdn

WHOLE = "+254712345678"


@pytest.mark.parametrize(
    ("text", "region"),
    [
        (WHOLE, None),
        ("254712345678", None),
        (" 254712345678 ", None),
        ("0712345678", "KE"),
        ("712345678", "KE"),
        ("+254 712 345 678", None),
        ("0712-345-678", "KE"),
        ("254712345678", "KE"),
        ("254712345678", "UG"),
        ("00254712345678", None),
        ("00254 712 345 678", "KE"),
        ("000254712345678", "KE"),
        ("+254 (0) 712 345678", None),
        ("(+254) 712-345.678", None),
        ("(0712) 345 678", "KE"),
        ("0712\u2011345\u2011678", "KE"),
        ("\u202a+254\u00a0712\u00a0345678\u202c", None),
        ("\u200e0712345678\u200b", "KE"),
        ("0712345678\r\n", "KE"),
    ],
)
def test_every_way_to_write_a_number_is_the_same_number(text: str, region: str | None) -> None:
    number = Msisdn.parse(text, region)
    assert number == Msisdn(WHOLE)
    assert hash(number) == hash(Msisdn(WHOLE))
    assert (number.e164, number.digits, number.region) == (WHOLE, WHOLE[1:], "KE")


@pytest.mark.parametrize("text", ["", "   ", "0712345678", "abc", "+254", "+2547123456789", "+25471234", "None", "+++"])
def test_what_is_no_valid_number_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Msisdn.parse(text)
    assert caught.value.code == "invalid_msisdn"
    assert caught.value.extra == {"field": "phone"}
    if len(text.strip()) > 4:
        assert text not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "2547XXXXXXXX", "0712-OOO-345", "0722ABCDEF", "0800FLOWERS", "+254 7AB CDE FGH",  # a keypad's letters
        "0712000345 ext 398", "0712000345 ext. 398", "0712000345x398", "0712000345 #398", "0712000345;ext=398",
        "0712000345 / 0722000111", "0712000345/46", "0712000345, 0722000111", "0712000345 or 0722000111",
        "0712000345 0722000111", "0712000345\n0722000111", "0712000345;0722000111", "0712000345 & 0722000111",
        "07120003450722000111",
        "０７１２３４５６７８", "٠٧١٢٣٤٥٦٧٨", "+２５４712345678",  # digits of other scripts
        "++254712345678", "0712345678+", "254+712345678", "+254712345678+", "tel:+254712345678", "0712345678 (home)",
        "(0712) (345678)", "(0712345678", ")0712345678(", "0712*345*678", "0712_345_678",
    ],
)  # fmt: skip
def test_what_is_not_one_number_in_plain_digits_is_nobodys(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Msisdn.parse(text, "KE")
    assert caught.value.code == "invalid_msisdn"
    assert Msisdn.read(text, "KE") is None


def test_a_text_of_any_length_is_looked_at_for_a_moment_only() -> None:
    for text in ("0" * 200_000, " " * 200_000 + "0712345678", "(" * 200_000, "- " * 100_000):
        assert Msisdn.read(text, "KE") is None


@pytest.mark.parametrize("text", [WHOLE, "+260977123456", "+256772123456", "+250788123456"])
def test_a_number_prints_masked_everywhere(text: str) -> None:
    number = Msisdn(text)
    for shown in (str(number), repr(number), f"{number}", f"{number!r}", f"{[number]}"):
        assert text[1:] not in shown
        assert text[5:-3] not in shown
    assert number.masked.startswith(text[:5])
    assert number.masked.endswith(text[-3:])
    assert len(number.masked) == len(text)


class Order(BaseModel):
    phone: Msisdn


def test_a_number_survives_json_whole() -> None:
    order = Order(phone=Msisdn(WHOLE))
    assert order.model_dump_json() == f'{{"phone":"{WHOLE}"}}'
    assert Order.model_validate_json(order.model_dump_json()) == order


def test_a_model_that_holds_a_number_prints_it_masked() -> None:
    assert "712345678" not in repr(Order(phone=Msisdn(WHOLE)))
    assert "712345678" not in str(Order(phone=Msisdn(WHOLE)))


@pytest.mark.parametrize("value", ["0712345678", 254712345678, None, ["254712345678"]])
def test_a_model_refuses_what_is_no_number(value: object) -> None:
    with pytest.raises(ValidationError):
        Order.model_validate({"phone": value})


def test_different_numbers_and_texts_are_not_equal() -> None:
    assert Msisdn(WHOLE) != Msisdn("+254712345679")
    assert Msisdn(WHOLE) != WHOLE
