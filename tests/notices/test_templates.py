"""Every text, in every language, with the facts that its event has."""

from datetime import UTC, datetime
from typing import Any

import pytest
from jinja2 import UndefinedError

from notices.render import TEXTS, render
from providers.sms import segments

AMOUNT, TOTAL, BALANCE = "KES 125,000.00", "KES 125,460.00", "KES 1,310,540.50"
REFERENCE = "TUP-7K2M9Q"
FLOAT = "flt_01ktv0r5m8e9a7d3c2b4x6y8z0"
REASON = "M-Pesa says that the organisation's account holds too little to pay this amount."
MASKED = "+2547•••••678"

FACTS: dict[str, dict[str, str]] = {
    "loan_paid": {
        "client_name": "Wanjiru Achieng", "partner_name": "Jaza Sacco", "account_no": "000000091", "amount": AMOUNT,
        "receipts": "TKL91ABC23", "phone": MASKED, "charges": "KES 23.00", "balance": BALANCE,
        "next_repayment_on": f"{datetime(2026, 12, 21, tzinfo=UTC):%d %b %Y}",
    },
    "loan_unpaid": {"account_no": "000000091", "reason": REASON, "reference": "-"},
    "low_balance": {
        "balance": BALANCE, "threshold": "KES 5,000.00", "recommended": "KES 25,000.00",
        "top_up_link": "https://kivuko.example/top-up",
    },
    "wallet_short": {"available": BALANCE, "needed": "KES 23.00"},
    "payout_in_review": {"account_no": "000000091", "reason": REASON, "reference": "pay_01ktv0r5m8e9a7d3c2b4x6y8z0-a1"},
    "post_failed": {"account_no": "000000091", "reason": REASON, "reference": "-"},
    "top_up_received": {
        "amount": AMOUNT, "balance": BALANCE, "reference": REFERENCE, "bank_reference": "FT26325X7K",
    },
    "top_up_expired": {"amount": AMOUNT, "reference": REFERENCE},
    "float_code": {
        "code": "481920", "amount": AMOUNT, "total": TOTAL, "operator": "M-Pesa", "minutes": "10", "purchase_id": FLOAT,
    },
    "float_bought": {
        "amount": AMOUNT, "charges": "KES 460.00", "total": TOTAL, "operator": "M-Pesa", "receipt": "TKL91ABC23",
        "balance": BALANCE,
    },
    "float_failed": {"amount": AMOUNT, "operator": "M-Pesa", "reason": REASON, "returned": "yes"},
    "float_in_review": {"amount": AMOUNT, "operator": "M-Pesa", "reference": FLOAT},
    "payment_received.client": {
        "client_name": "Wanjiru Achieng", "partner_name": "Jaza Sacco", "amount": AMOUNT, "receipt": "TKL91ABC23",
        "account_no": "000000091", "kind": "loan", "left": BALANCE,
    },
    "payment_received.partner": {
        "amount": AMOUNT, "receipt": "TKL91ABC23", "account_no": "000000091", "phone": MASKED,
    },
    "payment_unplaced": {
        "amount": AMOUNT, "receipt": "TKL91ABC23", "reference": "0712 345 678", "reason": REASON,
    },
    "contact_proposed": {"name": "Grace Njeri", "partner_name": "Jaza Sacco"},
    "collection_failed": {"amount": AMOUNT, "phone": MASKED, "account_no": "000000091", "reason": REASON},
}  # fmt: skip
# The printable part of ASCII that GSM 03.38 holds in its basic table.
GSM = {chr(code) for code in range(32, 127)} - set("`^{}\\[~]|")
OPTIONAL = {("low_balance", "top_up_link")}  # callers that know no link say nothing
# What the event knows and a text may leave out.
UNUSED = {"purchase_id", "reference", "reason", "client_name", "partner_name", "phone", "charges", "balance",
          "account_no", "next_repayment_on"}  # fmt: skip

FILES = sorted(path.name for path in (TEXTS / "en").iterdir())
LANGUAGES = sorted(path.name for path in TEXTS.iterdir())
EVERY = [(language, file) for language in LANGUAGES for file in FILES]
SMS = [(language, file) for language, file in EVERY if file.endswith(".sms.txt")]
CODES = [(language, file) for language, file in EVERY if file.startswith("float_code.")]


def facts_of(file: str) -> dict[str, str]:
    event, audience, _, _ = file.split(".")
    return FACTS.get(f"{event}.{audience}") or FACTS[event]


def text_of(language: str, file: str, **other: str) -> str:
    event, audience, channel, _ = file.split(".")
    text = render(event, audience, channel, language, {**facts_of(file), **other})  # type: ignore[arg-type]
    assert text
    return text


def test_both_languages_have_the_same_texts() -> None:
    assert LANGUAGES == ["en", "sw"]
    assert sorted(path.name for path in (TEXTS / "sw").iterdir()) == FILES


def test_every_event_has_facts_and_every_fact_belongs_to_an_event() -> None:
    assert {file.split(".")[0] for file in FILES} == {name.split(".")[0] for name in FACTS}


@pytest.mark.parametrize(("language", "file"), EVERY)
def test_a_text_is_whole(language: str, file: str) -> None:
    text = text_of(language, file)
    assert not any(mark in text for mark in ("{{", "{%", "}}", "%}", "None", "  "))
    if file.endswith(".email.txt"):
        subject, blank, body = text.split("\n", 2)
        assert subject.startswith("Subject: ")
        assert len(subject) < 100
        assert not blank
        assert body.strip()


@pytest.mark.parametrize("file", FILES)
def test_a_text_in_swahili_is_not_the_english_one(file: str) -> None:
    assert text_of("sw", file) != text_of("en", file)


@pytest.mark.parametrize(("language", "file"), SMS)
def test_an_sms_is_gsm_text_of_two_segments_at_most(language: str, file: str) -> None:
    text = text_of(language, file)
    assert set(text) <= GSM, set(text) - GSM
    assert segments(text) <= 2, f"{len(text)}: {text}"


@pytest.mark.parametrize(("language", "file"), SMS)
def test_a_long_reason_does_not_make_a_long_sms(language: str, file: str) -> None:
    if "reason" in facts_of(file):
        assert segments(text_of(language, file, reason="word " * 100)) <= 2


@pytest.mark.parametrize(("language", "file"), [(language, file) for language, file in CODES if ".sms." in file])
def test_a_code_fits_into_one_segment(language: str, file: str) -> None:
    assert segments(text_of(language, file)) == 1


@pytest.mark.parametrize(("language", "file"), CODES)
def test_a_code_says_what_it_buys_and_to_tell_nobody(language: str, file: str) -> None:
    text = text_of(language, file)
    assert all(fact in text for fact in ("481920", AMOUNT, TOTAL, "M-Pesa"))
    assert {"en": "Never share it", "sw": "Usimpe mtu yeyote nambari hii"}[language] in text


@pytest.mark.parametrize(("language", "file"), [(language, file) for language, file in CODES if ".email." in file])
def test_a_code_is_not_in_the_subject(language: str, file: str) -> None:
    assert "481920" not in text_of(language, file).split("\n")[0]


@pytest.mark.parametrize(("language", "file"), EVERY)
def test_a_missing_fact_fails(language: str, file: str) -> None:
    """Each fact that a text shows; leaving out one that it does not show changes nothing."""
    event, audience, channel, _ = file.split(".")
    source = (TEXTS / language / file).read_text(encoding="utf-8")
    needed = 0
    for fact in facts_of(file):
        rest = {name: value for name, value in facts_of(file).items() if name != fact}
        if (event, fact) in OPTIONAL or f" {fact} " not in source:
            assert (event, fact) in OPTIONAL or fact in UNUSED, fact
            assert render(event, audience, channel, language, rest)  # type: ignore[arg-type]
            continue
        needed += 1
        with pytest.raises(UndefinedError):
            render(event, audience, channel, language, rest)  # type: ignore[arg-type]
    assert needed


@pytest.mark.parametrize(
    ("file", "fact", "shown", "hidden"),
    [
        ("payment_received.client.sms.txt", "left", {"en": "Still to pay", "sw": "Deni lililobaki"}, ""),
        ("low_balance.partner.sms.txt", "top_up_link", {"en": "https://", "sw": "https://"}, ""),
        ("low_balance.partner.email.txt", "top_up_link", {"en": "Top up here", "sw": "Ongeza pesa hapa"}, ""),
        ("loan_paid.client.sms.txt", "next_repayment_on", {"en": "First repay", "sw": "Malipo ya kwanza"}, ""),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_empty_fact_leaves_its_sentence_out(
    language: str, file: str, fact: str, shown: dict[str, str], hidden: str
) -> None:
    assert shown[language] in text_of(language, file)
    assert shown[language] not in text_of(language, file, **{fact: hidden})


@pytest.mark.parametrize(
    ("language", "file", "fact", "first", "second"),
    [
        (language, file, fact, first, second)
        for language in LANGUAGES
        for file, fact, first, second in (
            ("payment_received.client.sms.txt", "kind", "loan", "savings"),
            ("float_failed.partner.sms.txt", "returned", "yes", "no"),
            ("float_failed.partner.email.txt", "returned", "yes", "no"),
        )
    ],
)
def test_a_fact_with_two_values_makes_two_texts(language: str, file: str, fact: str, first: str, second: str) -> None:
    assert text_of(language, file, **{fact: first}) != text_of(language, file, **{fact: second})


def test_an_unknown_language_reads_english_and_an_unknown_event_nothing() -> None:
    facts: dict[str, Any] = FACTS["top_up_expired"]
    assert render("top_up_expired", "partner", "sms", "fr", facts) == render(
        "top_up_expired", "partner", "sms", "en", facts
    )
    assert render("top_up_expired", "client", "sms", "en", facts) is None
