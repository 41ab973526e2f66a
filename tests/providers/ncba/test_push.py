"""NCBA's account push: the known answer (bank_ncba.md 2), what proves it, and what must not be believed."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Garbled, KivukoError, NotAllowed
from core.money import Money
from providers.banking import BankEvent, EventKind, PushSecrets
from providers.ncba.wire import HASHED_FIELDS, parse_push, push_hash, push_reply
from simulators.bank.courier import ncba_envelope
from tests.simulators.bank.bench import GOLDEN, PHONE, REFERENCE, SECRETS

NOW = datetime(2026, 1, 1, 9, 31, tzinfo=UTC)
CREDIT = {
    "TransType": "CR-TRF", "TransID": "FT26001ABCDE", "TransTime": "2601011230", "TransAmount": "1500.00",
    "AccountNr": "1000200030", "Narrative": "KVK-TOPUP-7F3A", "PhoneNr": "254712000111",
    "CustomerName": "WANJIKU KAMAU", "Status": "SUCCESS", "FtCrNarration": "x",
}  # fmt: skip
DEBIT = {**CREDIT, "TransType": "DR-TRF", "TransAmount": "-1500.00", "Narrative": f"{REFERENCE} float for Nakuru"}


def sample() -> bytes:
    return (GOLDEN / "ncba_push_credit.xml").read_bytes()


def push(fields: dict[str, str], secret: str = "kivuko-secret") -> bytes:
    return ncba_envelope(fields, "kvkuser", "kvkpass", secret)


def read(raw: bytes, secrets: PushSecrets = SECRETS) -> BankEvent:
    return parse_push(raw, {}, secrets, currency="KES", now=NOW)


def debit(**changes: str) -> BankEvent:
    return read(push({**DEBIT, **changes}))


def test_the_hash_is_the_sheets() -> None:
    assert push_hash("kivuko-secret", CREDIT) == (
        "MDE3YWVhN2VlOWM1NzE2YzgzN2IwYWViOTYyNGYyOTBmYTgyODViNzgwYWI5OWJjNzA0ZTkyMDgxOTM3NDhmMA=="
    )


def test_the_golden_credit_is_a_payment_with_all_its_facts() -> None:
    event = read(sample())
    assert (event.kind, event.account, event.report) == (EventKind.credited, "1000200030", None)
    assert event.event_id == "ncba:FT26001ABCDE:CR-TRF:credit"
    payment = event.payment
    assert payment is not None
    assert (payment.external_id, payment.account) == ("FT26001ABCDE", "1000200030")
    assert (payment.amount, payment.reference) == (Money(150_000, "KES"), "KVK-TOPUP-7F3A")
    assert payment.happened_at == datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
    assert (payment.payer_name, payment.payer_phone) == ("WANJIKU KAMAU", PHONE)


def test_the_simulator_sends_what_the_sheet_shows() -> None:
    assert re.sub(rb">\s+<", b"><", sample()).strip() == push(CREDIT)


def test_a_negative_amount_is_a_debit_of_the_instruction_that_the_narrative_names() -> None:
    event = debit()
    assert (event.kind, event.payment) == (EventKind.debited, None)
    result = event.report
    assert result is not None
    assert (result.state, result.reference, result.receipt) == ("paid", REFERENCE, "FT26001ABCDE")
    assert (result.amount, result.code) == (Money(150_000, "KES"), "DR-TRF")


@pytest.mark.parametrize(
    "narrative",
    ["LEDGER FEE", "", REFERENCE.removesuffix("-a1"), f"x{REFERENCE}", f"{REFERENCE}x", f"{REFERENCE}-2", "pay_1-a1"],
)
def test_a_debit_that_names_no_whole_reference_is_nobodys(narrative: str) -> None:
    result = debit(Narrative=narrative).report
    assert result is not None
    assert result.reference is None


def test_a_reference_is_found_in_capitals_and_among_words() -> None:
    result = debit(Narrative=f"IFT/{REFERENCE.upper()}/KIVUKO").report
    assert result is not None
    assert result.reference == REFERENCE


@pytest.mark.parametrize("fields", [CREDIT, DEBIT])
def test_a_movement_that_is_not_done_is_pending_and_another_event(fields: dict[str, str]) -> None:
    event, done = read(push({**fields, "Status": "FAILED"})), read(push(fields))
    assert (event.kind, event.payment) == (EventKind.result, None)
    assert event.report is not None
    assert (event.report.state, event.report.receipt, event.report.code) == ("pending", None, "failed")
    assert event.event_id != done.event_id


def test_a_repeat_is_the_same_event_and_the_other_side_of_a_transfer_is_not() -> None:
    assert read(sample()).event_id == read(push({**CREDIT, "FtCrNarration": "y"})).event_id
    assert read(sample()).event_id != debit(TransID="FT26001ABCDE", TransType="CR-TRF").event_id


@pytest.mark.parametrize("field", HASHED_FIELDS)
def test_a_changed_field_breaks_the_hash(field: str) -> None:
    raw = sample().decode()
    changed = raw.replace(f">{CREDIT[field]}</{field}>", f">{CREDIT[field]}1</{field}>")
    assert changed != raw
    with pytest.raises(NotAllowed):
        read(changed.encode())


@pytest.mark.parametrize(
    "secrets",
    [
        replace(SECRETS, secrets=("another",)),
        replace(SECRETS, secrets=()),
        replace(SECRETS, user="somebody"),
        replace(SECRETS, password="guess"),
        replace(SECRETS, user=None),
        replace(SECRETS, password=None),
    ],
)
def test_the_wrong_secret_user_or_password_is_refused(secrets: PushSecrets) -> None:
    with pytest.raises(NotAllowed):
        read(sample(), secrets)


def test_a_push_without_a_hash_is_refused() -> None:
    with pytest.raises(NotAllowed):
        read(re.sub(rb"<HashVal>.*</HashVal>", b"<HashVal/>", sample()))


def test_every_secret_is_accepted_while_one_is_rotated() -> None:
    assert read(sample(), replace(SECRETS, secrets=("newer", "kivuko-secret"))).payment is not None


def test_empty_elements_and_another_envelope_are_read_too() -> None:
    fields = {**CREDIT, "Narrative": "", "PhoneNr": ""}
    raw = push(fields).replace(b"<Narrative></Narrative>", b"<Narrative/>").replace(b"soapenv:", b"s:")
    raw = raw.replace(b"xmlns:soapenv=", b"xmlns:s=").replace(b"Request>", b'Request xmlns="urn:ncba">', 1)
    payment = read(b'<?xml version="1.0" encoding="utf-8"?>\n' + raw).payment
    assert payment is not None
    assert (payment.reference, payment.payer_phone) == ("", None)


@pytest.mark.parametrize("phone", ["1000200030", "12345", "254200000000", "x"])
def test_what_is_no_mobile_number_is_no_phone(phone: str) -> None:
    payment = read(push({**CREDIT, "PhoneNr": phone})).payment
    assert payment is not None
    assert payment.payer_phone is None


def test_a_phone_that_is_the_account_number_is_not_the_payers() -> None:
    payment = read(push({**CREDIT, "AccountNr": "254712000111"})).payment
    assert payment is not None
    assert payment.payer_phone is None


def test_a_name_ends_where_a_number_begins() -> None:
    payment = read(push({**CREDIT, "CustomerName": "WANJIKU KAMAU 254712000111 MPESA"})).payment
    assert payment is not None
    assert payment.payer_name == "WANJIKU KAMAU"


def test_a_time_that_cannot_be_read_does_not_lose_the_money() -> None:
    payment = read(push({**CREDIT, "TransTime": "yesterday"})).payment
    assert payment is not None
    assert payment.happened_at == NOW


def test_characters_of_xml_survive() -> None:
    payment = read(push({**CREDIT, "Narrative": 'A<B> & "C"'})).payment
    assert payment is not None
    assert payment.reference == 'A<B> & "C"'


@pytest.mark.parametrize(
    "change", [{"TransAmount": "0.00"}, {"TransAmount": "15,00.00"}, {"TransAmount": "NaN"}, {"TransAmount": "1e3"},
               {"TransAmount": ""}, {"TransAmount": "１５００"}, {"TransAmount": "1.005"}, {"TransID": " "},
               {"AccountNr": ""}, {"AccountNr": "x" * 500}, {"TransAmount": "99999999999.00"}]
)  # fmt: skip
def test_a_signed_push_without_a_usable_fact_is_garbled(change: dict[str, str]) -> None:
    with pytest.raises(Garbled):
        read(push({**CREDIT, **change}))


@pytest.mark.parametrize(
    ("written", "minor"),
    [("1,500.00", 150_000), ("+1,500.00", 150_000), (" 1500.0 ", 150_000), ("1 500.00", 150_000), ("1,234,500", 123_450_000)],
)  # fmt: skip
def test_an_amount_is_read_however_it_is_written(written: str, minor: int) -> None:
    payment = read(push({**CREDIT, "TransAmount": written})).payment
    assert payment is not None
    assert payment.amount == Money(minor, "KES")
    result = read(push({**DEBIT, "TransAmount": f"-{written.replace('+', '')}"})).report
    assert result is not None
    assert result.amount == Money(minor, "KES")


def raw_push(sent: bytes, hashed: str, encoding: str) -> bytes:
    """The golden credit with a payer's name that stands in it byte for byte as `sent`, hashed as `hashed`."""
    right = push_hash("kivuko-secret", {**CREDIT, "CustomerName": hashed}, encoding)
    body = push(CREDIT).replace(push_hash("kivuko-secret", CREDIT).encode(), right.encode())
    return body.replace(b">WANJIKU KAMAU<", b">" + sent + b"<")


ODD_NAMES: list[tuple[bytes, str, str, str]] = [  # as sent, as hashed, the hash's encoding, as we show it
    (b'"WANJIKU" KAMAU', '"WANJIKU" KAMAU', "utf-8", '"WANJIKU" KAMAU'),
    (b"&quot;WANJIKU&quot; KAMAU", '"WANJIKU" KAMAU', "utf-8", '"WANJIKU" KAMAU'),
    (b"&quot;WANJIKU&quot; KAMAU", "&quot;WANJIKU&quot; KAMAU", "utf-8", '"WANJIKU" KAMAU'),
    (b"KAMAU &amp; SONS", "KAMAU & SONS", "utf-8", "KAMAU & SONS"),
    (b"KAMAU &amp; SONS", "KAMAU &amp; SONS", "utf-8", "KAMAU & SONS"),
    (b"KAMAU & SONS", "KAMAU & SONS", "utf-8", "KAMAU & SONS"),
    (b"WANJIKU\x01 KAM\x1b[1mAU\x00", "WANJIKU\x01 KAM\x1b[1mAU\x00", "utf-8", "WANJIKU KAMAU"),
    (b"WANJIKU&#1; KAMAU", "WANJIKU\x01 KAMAU", "utf-8", "WANJIKU KAMAU"),
    (b"B\xc3\x96DA", "BÖDA", "utf-8", "BÖDA"),
    (b"B\xd6DA", "BÖDA", "latin-1", "BÖDA"),
    (b"B\xd6DA", "BÖDA", "utf-8", "BÖDA"),
    (b"\t WANJIKU\xc2\xa0 \r\n KAMAU ", "\t WANJIKU\xa0 \n KAMAU ", "utf-8", "WANJIKU KAMAU"),
    (b"\t WANJIKU\xc2\xa0 \r\n KAMAU ", "\t WANJIKU\xa0 \r\n KAMAU ", "utf-8", "WANJIKU KAMAU"),
    (b"\xe2\x80\xaeUMAK", "\u202eUMAK", "utf-8", "UMAK"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "hashed", "encoding", "shown"), ODD_NAMES)
def test_a_genuine_push_is_read_whatever_bytes_its_name_holds(
    sent: bytes, hashed: str, encoding: str, shown: str
) -> None:
    raw = raw_push(sent, hashed, encoding)
    payment = read(raw).payment
    assert payment is not None
    assert (payment.payer_name, payment.amount) == (shown, Money(150_000, "KES"))
    with pytest.raises(NotAllowed):
        read(raw.replace(b"<TransAmount>1500.00", b"<TransAmount>2500.00"))


@pytest.mark.parametrize("name", ["PhoneNr", "CustomerName", "Narrative", "TransTime", "TransType", "FtCrNarration"])
@pytest.mark.parametrize(
    "odd", ["x" * 20_000, "\x1b]0;owned\x07", " " * 20_000, "\u202e\u200b", "254712000111 " * 1_000]
)
def test_cosmetic_fields_never_make_money_unreadable(name: str, odd: str) -> None:
    payment = read(push({**CREDIT, name: odd})).payment
    assert payment is not None
    assert (payment.external_id, payment.amount) == ("FT26001ABCDE", Money(150_000, "KES"))
    assert len(payment.payer_name) <= 120
    assert len(payment.reference) <= 300
    assert (payment.payer_name + payment.reference).isprintable()


@pytest.mark.parametrize("unfit", ["x" * 5_000, "FT26001 ABCDE", "FT26001\x1bABCDE", "FT２６００１", "FT1"])
def test_an_unfit_id_of_the_banks_is_told_and_not_booked(unfit: str) -> None:
    with pytest.raises(Garbled) as caught:
        read(push({**CREDIT, "TransID": unfit}))
    assert (caught.value.code, caught.value.detail.isprintable()) == ("unfit_receipt", True)
    result = debit(TransID=unfit).report
    assert result is not None
    assert (result.state, result.code, result.receipt, result.reference) == (
        "unclear",
        "unfit_receipt",
        None,
        REFERENCE,
    )


def test_a_message_that_is_nested_without_end_is_garbled() -> None:
    for raw in (b"<a>" * 15_000, b"<a/>" * 15_000, b"<x>" + b"<a/>" * 15_000 + b"</x>"):
        with pytest.raises(Garbled):
            read(raw)


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: b"",
        lambda raw: b"{}",
        lambda raw: b"<a/>",
        lambda raw: raw[:-20],
        lambda raw: BOMB + raw,
        lambda raw: (BOMB.decode() + raw.decode()).encode("utf-16"),
        lambda raw: b'<?xml version="1.0"?><!doctype x SYSTEM "file:///etc/passwd">' + raw,
        lambda raw: raw.decode().encode("utf-16"),
        lambda raw: b"\xff" + raw,
        lambda raw: raw + b" " * 70_000,
        lambda raw: raw.replace(b"<Status>", b"<TransAmount>9.00</TransAmount><Status>"),
        lambda raw: raw.replace(b"<Status>SUCCESS</Status>", b"<Status>SUC<b/>CESS</Status>"),
        lambda raw: b"<x>" + raw + raw + b"</x>",
    ],
)
def test_what_is_no_such_message_is_garbled(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(Garbled):
        read(spoil(push(CREDIT)))


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_refused_in_our_words(raw: bytes) -> None:
    with pytest.raises(KivukoError):
        read(raw)


PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f\x85"), max_size=40)


@given(st.fixed_dictionaries(dict.fromkeys(("Narrative", "CustomerName", "PhoneNr"), PRINTABLE)))
def test_what_people_type_breaks_nothing(typed: dict[str, str]) -> None:
    payment = read(push({**CREDIT, **typed})).payment
    assert payment is not None
    assert payment.amount == Money(150_000, "KES")


@pytest.mark.parametrize(
    ("ok", "detail", "said"),
    [(True, "", "OK"), (True, "a repeat", "OK: a repeat"), (False, "<no> & no", "FAIL: <no> & no")],
)
def test_the_reply_is_the_same_envelope(ok: bool, detail: str, said: str) -> None:
    body, media_type = push_reply(ok, detail)
    assert media_type.startswith("text/xml")
    assert [e.text for e in ElementTree.fromstring(body).iter("Result")] == [said]
