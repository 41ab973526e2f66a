"""Every text, in every language, with the facts that its event has."""

import unicodedata
from typing import Any

import pytest
from jinja2 import UndefinedError

from core.sms_segments import segments
from notices.outbox import _row as message_row
from notices.reason_words import WORDS
from notices.reasons import sentence
from notices.render import LONGEST_SMS, LONGEST_SUBJECT, TEXTS, render

AMOUNT, TOTAL, BALANCE = "KES 125,000.00", "KES 125,460.00", "KES 1,310,540.50"
REFERENCE = "TUP-7K2M9Q"
FLOAT = "flt_01ktv0r5m8e9a7d3c2b4x6y8z0"
REASON = "2001"
MASKED = "+2547•••••678"

FACTS: dict[str, dict[str, str]] = {
    "loan_paid": {
        "client_name": "Wanjiru Achieng", "partner_name": "Jaza Sacco", "account_no": "000000091", "amount": AMOUNT,
        "receipts": "TKL91ABC23", "phone": MASKED, "charges": "KES 23.00", "balance": BALANCE,
        "next_repayment_on": "2026-12-21",
    },
    "loan_unpaid": {"account_no": "000000091", "reason_code": REASON, "reference": "-"},
    "low_balance": {
        "balance": BALANCE, "threshold": "KES 5,000.00", "recommended": "KES 25,000.00",
        "top_up_link": "https://kivuko.example/top-up",
    },
    "wallet_short": {"available": BALANCE, "needed": TOTAL, "missing": AMOUNT},
    "payout_partial": {"account_no": "000000091", "reason_code": REASON, "reference": "pay_01ktv0r5m8e9a7d3c2b4x6y8z0-a1"},
    "payout_in_review": {"account_no": "000000091", "reason_code": REASON, "reference": "pay_01ktv0r5m8e9a7d3c2b4x6y8z0-a1"},
    "post_failed": {"account_no": "000000091", "reason_code": REASON, "reference": "-"},
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
    "float_failed": {
        "amount": AMOUNT, "operator": "M-Pesa", "reason_code": "wallet_short", "returned": "yes",
        "needed": TOTAL, "available": BALANCE, "missing": AMOUNT,
    },
    "float_in_review": {"amount": AMOUNT, "operator": "M-Pesa", "reference": FLOAT},
    "payment_received.client": {
        "client_name": "Wanjiru Achieng", "partner_name": "Jaza Sacco", "amount": AMOUNT, "receipt": "TKL91ABC23",
        "account_no": "000000091", "kind": "loan", "left": BALANCE,
    },
    "payment_received.partner": {
        "amount": AMOUNT, "receipt": "TKL91ABC23", "account_no": "000000091", "phone": MASKED,
    },
    "payment_unplaced": {
        "amount": AMOUNT, "receipt": "TKL91ABC23", "reference": "0712 345 678", "reason_code": REASON,
    },
    "contact_proposed": {"name": "Grace Njeri", "partner_name": "Jaza Sacco"},
    "approval_waits": {
        "act": "wallets.credit", "asked_by": "Amina Otieno", "amount": AMOUNT, "needed": "1", "still": "no",
        "until": "2026-12-07 21:07 UTC", "link": "https://kivuko.example/console/approvals/apr_01ktv0r5m8e9a7d3c2b4x6y8z0",
    },
    "connection_blocked": {"provider": "M-Pesa"},
    "collection_failed": {"amount": AMOUNT, "phone": MASKED, "account_no": "000000091", "reason_code": REASON},
}  # fmt: skip
# The printable part of ASCII that GSM 03.38 holds in its basic table.
GSM = {chr(code) for code in range(32, 127)} - set("`^{}\\[~]|")
# Callers that know no link say nothing; where the wallet was too low, nothing was taken that could come back.
OPTIONAL = {("low_balance", "top_up_link"), ("float_failed", "returned")}
# What the event knows and a text may leave out.
UNUSED = {"purchase_id", "reference", "reason_code", "client_name", "partner_name", "phone", "charges", "balance",
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
    if "reason_code" in facts_of(file):
        longest = max((row[0].split()[0] for row in WORDS), key=lambda code: len(sentence(code, language)))
        assert segments(text_of(language, file, reason_code=longest)) <= 2
        assert segments(text_of(language, file, reason_code="x" * 5000)) <= 2


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
    first_text, second_text = [text_of(language, file, **{"reason_code": "refused", fact: v}) for v in (first, second)]
    assert first_text != second_text


def test_an_unknown_language_reads_english_and_an_unknown_event_nothing() -> None:
    facts: dict[str, Any] = FACTS["top_up_expired"]
    assert render("top_up_expired", "partner", "sms", "fr", facts) == render(
        "top_up_expired", "partner", "sms", "en", facts
    )
    assert render("top_up_expired", "client", "sms", "en", facts) is None


# ---------------------------------------------------------------------------------------------------- what strangers write

HOSTILE = {
    "terminal": "Wanjiru\x1b[31m\x1b]0;title\x07 Achieng\x9b2J",
    "directions": "\u202eegnahc\u2066 Wanjiru\u200b\u200d\ufeff",
    "lines": "Wanjiru\r\nSubject: Pay here\r\n\r\nBcc: all@example.com\x00\u2028\u2029\x85",
    "template": "{{ 7 * 7 }}{% for x in range(9) %}[red]",
    "long": "W" * 5000,
    "wide": "\U0001f600\u0b95" * 2500,
    "halves": "\ud800Wanjiru\udfff",
}
SEEN_BY_NOBODY = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# What is no text of a stranger: a date and a code are ours, and these two choose a sentence.
OURS = {"next_repayment_on", "kind", "returned", "code", "still"}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize(("language", "file"), EVERY)
def test_nothing_that_a_stranger_wrote_comes_raw_or_unbounded(language: str, file: str, kind: str) -> None:
    facts = {name: HOSTILE[kind] for name in facts_of(file) if name not in OURS}
    text = text_of(language, file, **facts)
    lines = text.split("\n")
    assert not {unicodedata.category(char) for line in lines for char in line} & SEEN_BY_NOBODY
    assert "49" not in text
    if file.endswith(".sms.txt"):
        assert len(lines) == 1
        assert len(text) <= LONGEST_SMS
    else:
        plain = text_of(language, file, reason_code="unheard_of").split("\n")
        assert len(lines) == len(plain)  # no fact makes a line of its own
        assert len(text) <= len("\n".join(plain)) + 300 * len(facts)


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize(("language", "file"), [(language, file) for language, file in EVERY if "email" in file])
def test_a_subject_is_one_bounded_line(language: str, file: str, kind: str) -> None:
    event, audience, _, _ = file.split(".")
    facts = facts_of(file) | {name: HOSTILE[kind] for name in facts_of(file) if name not in OURS}
    body = render(event, audience, "email", language, facts)  # type: ignore[arg-type]
    assert body
    row = message_row(event, "k", "email", "grace@example.com", body, "prt_1", None)
    assert len(row["subject"]) <= LONGEST_SUBJECT
    assert not {unicodedata.category(char) for char in row["subject"]} & SEEN_BY_NOBODY


def test_what_is_cut_is_seen_to_be_cut() -> None:
    text = text_of("en", "loan_paid.client.sms.txt", client_name="Wanjiru " * 20)
    assert text.startswith("Dear Wanjiru Wanjiru Wanjiru Wan..., your loan")


# -------------------------------------------------------------------------------------------------- words of the language


def test_dates_are_in_the_language() -> None:
    assert "21 Dec 2026" in text_of("en", "loan_paid.client.sms.txt")
    assert "21 Desemba 2026" in text_of("sw", "loan_paid.client.sms.txt")


@pytest.mark.parametrize("file", FILES)
def test_swahili_says_what_was_sent_and_never_that_it_was_repaid(file: str) -> None:
    text = text_of("sw", file).lower()
    assert not any(wrong in text for wrong in ("umelipwa", "amelipwa", "imelipwa", "haukulipwa", "kwa mkono"))


def test_a_payouts_end_in_swahili() -> None:
    assert "zimetumwa" in text_of("sw", "loan_paid.client.sms.txt")
    assert "zimetumwa" in text_of("sw", "loan_paid.partner.sms.txt")
    assert "pesa za mkopo hazikutumwa" in text_of("sw", "loan_unpaid.partner.sms.txt")
    assert text_of("sw", "wallet_short.partner.sms.txt").startswith("Salio halitoshi kulipia ada")


@pytest.mark.parametrize(
    ("language", "file"),
    [(language, file) for language, file in EVERY if file.split(".")[0] in ("wallet_short", "float_failed")],
)
def test_what_is_needed_there_and_missing_is_named(language: str, file: str) -> None:
    assert all(amount in text_of(language, file) for amount in (TOTAL, BALANCE, AMOUNT))
