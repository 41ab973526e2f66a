import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidRequest, Throttled
from core.sms_segments import segments
from providers.sms import SmsCredentials, refused_by_status, require_text

GSM_LETTERS = st.sampled_from("abcXYZ 019@£Ωà\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("ç" * 70, 1),  # not in GSM-7: only the capital Ç is
        ("ç" * 71, 2),
        ("ç" * 134, 2),
        ("ç" * 135, 3),
        ("€" * 80, 1),  # an extension character takes two septets
        ("€" * 81, 2),
        ("😀" * 35, 1),  # two UTF-16 units each
        ("😀" * 36, 2),
    ],
)
def test_segments_are_counted_as_the_gateways_bill_them(text: str, expected: int) -> None:
    assert segments(text) == expected


def test_an_escape_pair_is_not_cut_in_two() -> None:
    # 152 + 2 does not fit into 153, so the pair opens the second part, and that leaves 151 places there.
    assert segments("a" * 152 + "€" + "a" * 151) == 2
    assert segments("a" * 152 + "€" + "a" * 152) == 3


def test_a_surrogate_pair_is_not_cut_in_two() -> None:
    assert segments("ç" * 66 + "😀" + "ç" * 65) == 2
    assert segments("ç" * 66 + "😀" + "ç" * 66) == 3


def test_one_character_outside_gsm_makes_the_whole_text_ucs2() -> None:
    assert segments("a" * 100) == 1
    assert segments("a" * 99 + "ç") == 2


@given(st.text(GSM_LETTERS, min_size=161, max_size=800))
def test_a_long_gsm_text_of_single_septets_fills_its_parts(text: str) -> None:
    assert segments(text) == -(-len(text) // 153)


@given(st.text(min_size=1, max_size=400), st.text(max_size=50))
def test_more_text_never_takes_fewer_segments(text: str, more: str) -> None:
    assert segments(text + more) >= segments(text) >= 1


def test_credentials_do_not_print_their_key() -> None:
    assert "s3cr3t" not in repr(SmsCredentials("kivuko", "s3cr3t", "KIVUKO", "panel"))


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_message_is_refused_before_it_is_sent(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        require_text(text)
    assert caught.value.extra["failover"] == "no"


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("soon", None), ("-1", None), ("9" * 30, None)])
def test_a_throttle_carries_what_the_gateway_asks_for_where_it_is_readable(header: str, seconds: int | None) -> None:
    error = refused_by_status("damza", 429, {"retry-after": header})
    assert isinstance(error, Throttled)
    assert (error.retry_after.total_seconds() if error.retry_after else None) == seconds


@pytest.mark.parametrize("status", [200, 201, 302, 404, 500, 502, 503])
def test_other_statuses_say_nothing_about_the_message(status: int) -> None:
    assert refused_by_status("damza", status, {}) is None
