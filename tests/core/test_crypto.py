import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.crypto import CallbackRoute, CallbackSigner, CredentialBox, KeyRing, sha256_hex
from core.errors import NotAllowed

SIGNER = CallbackSigner(["current secret", "older secret"])
ROUTE = CallbackRoute("loan-disbursement/prt_01ktvabc/91", "pay_01ktvxyz")
# daraja.md, fact 11: a callback URL that contains one of these is refused.
DARAJA_REFUSES = ("mpesa", "m-pesa", "safaricom", "exe", "exec", "cmd", "sql", "query")

# What a workflow id or a reference may be; a line break would end the workflow id early.
texts = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1, max_size=60)
routes = st.builds(CallbackRoute, texts, texts)


# ---------------------------------------------------------------------------------------------------------- callbacks


@given(routes)
def test_a_token_gives_back_the_route_that_it_was_made_for(route: CallbackRoute) -> None:
    assert SIGNER.verify(*SIGNER.sign(route).split("/")) == route


@given(routes, st.data())
def test_a_token_with_any_character_changed_is_refused(route: CallbackRoute, data: st.DataObject) -> None:
    token = SIGNER.sign(route)
    place = data.draw(st.integers(min_value=0, max_value=len(token) - 1).filter(lambda index: token[index] != "/"))
    other = data.draw(st.sampled_from("0123456789abcdefABCDEFgz /.%é").filter(lambda char: char != token[place]))
    route_hex, _, mac_hex = token.partition("/")
    if place < len(route_hex):
        route_hex = route_hex[:place] + other + route_hex[place + 1 :]
    else:
        place -= len(route_hex) + 1
        mac_hex = mac_hex[:place] + other + mac_hex[place + 1 :]
    with pytest.raises(NotAllowed) as caught:
        SIGNER.verify(route_hex, mac_hex)
    assert caught.value.code == "forged_callback"


def test_every_single_hex_digit_of_a_token_counts() -> None:
    route_hex, mac_hex = SIGNER.sign(ROUTE).split("/")
    for part, text in (("route", route_hex), ("mac", mac_hex)):
        for place, digit in enumerate(text):
            flipped = text[:place] + f"{int(digit, 16) ^ 1:x}" + text[place + 1 :]
            with pytest.raises(NotAllowed):
                SIGNER.verify(*((flipped, mac_hex) if part == "route" else (route_hex, flipped)))


def test_an_address_has_one_spelling_only() -> None:
    route_hex, mac_hex = SIGNER.sign(ROUTE).split("/")
    others = [(route_hex.upper(), mac_hex), (f" {route_hex}", mac_hex), (f"{route_hex[:2]} {route_hex[2:]}", mac_hex),
              (route_hex, mac_hex.upper()), (route_hex, f"{mac_hex} ")]  # fmt: skip
    for other in others:
        assert other != (route_hex, mac_hex)
        with pytest.raises(NotAllowed):
            SIGNER.verify(*other)


@pytest.mark.parametrize("mac_hex", ["é" * 32, "\ud800" * 32])
def test_a_signature_outside_ascii_is_refused_and_never_an_error_of_another_kind(mac_hex: str) -> None:
    route_hex, _ = SIGNER.sign(ROUTE).split("/")
    with pytest.raises(NotAllowed):
        SIGNER.verify(route_hex, mac_hex)


@pytest.mark.parametrize("cut", [0, 1, 16, 31])
def test_a_shortened_signature_is_refused(cut: int) -> None:
    route_hex, mac_hex = SIGNER.sign(ROUTE).split("/")
    with pytest.raises(NotAllowed):
        SIGNER.verify(route_hex, mac_hex[:cut])


def test_the_signature_of_one_route_does_not_open_another() -> None:
    _, mac_hex = SIGNER.sign(ROUTE).split("/")
    other_hex, _ = SIGNER.sign(CallbackRoute(ROUTE.workflow_id, "pay_other")).split("/")
    with pytest.raises(NotAllowed):
        SIGNER.verify(other_hex, mac_hex)


@given(routes)
def test_a_token_spells_none_of_the_words_that_daraja_refuses(route: CallbackRoute) -> None:
    token = SIGNER.sign(route)
    assert set(token) <= set("0123456789abcdef/")
    assert [word for word in DARAJA_REFUSES if word in token.lower()] == []


def test_a_route_that_names_a_refused_word_still_gives_a_clean_token() -> None:
    token = SIGNER.sign(CallbackRoute("mpesa-exec-cmd-sql-query", "safaricom"))
    assert [word for word in DARAJA_REFUSES if word in token] == []


def test_a_token_of_an_older_secret_is_still_believed_and_one_of_a_dropped_secret_is_not() -> None:
    token = CallbackSigner(["older secret"]).sign(ROUTE)
    assert SIGNER.verify(*token.split("/")) == ROUTE
    with pytest.raises(NotAllowed):
        CallbackSigner(["current secret"]).verify(*token.split("/"))


def test_the_first_secret_signs() -> None:
    assert SIGNER.sign(ROUTE) == CallbackSigner(["current secret"]).sign(ROUTE)


@given(st.text(max_size=80), st.text(max_size=40))
def test_rubbish_in_a_url_is_refused_and_never_an_error_of_another_kind(route_hex: str, mac_hex: str) -> None:
    with pytest.raises(NotAllowed):
        SIGNER.verify(route_hex, mac_hex)


def test_a_signer_needs_a_secret() -> None:
    with pytest.raises(ValueError, match="secret"):
        CallbackSigner([])


# -------------------------------------------------------------------------------------------------------- credentials


@given(st.text(max_size=200))
def test_a_credential_is_opened_as_it_was_sealed(plain: str) -> None:
    box = CredentialBox([CredentialBox.new_key()])
    assert box.open(box.seal(plain)) == plain


def test_a_sealed_credential_does_not_show_its_content_and_is_never_the_same_twice() -> None:
    box = CredentialBox([CredentialBox.new_key()])
    sealed = box.seal("initiator-password")
    assert "initiator" not in sealed
    assert sealed != box.seal("initiator-password")


def test_rotation_of_credential_keys_reseals_with_the_new_key() -> None:
    old, new = CredentialBox.new_key(), CredentialBox.new_key()
    sealed = CredentialBox([old]).seal("initiator-password")
    both = CredentialBox([new, old])
    assert both.open(sealed) == "initiator-password"
    rotated = both.rotate(sealed)
    assert CredentialBox([new]).open(rotated) == "initiator-password"
    with pytest.raises(NotAllowed):
        CredentialBox([old]).open(rotated)


@pytest.mark.parametrize("sealed", ["", "rubbish", "gAAAAA"])
def test_what_is_no_sealed_credential_is_refused_without_being_quoted(sealed: str) -> None:
    with pytest.raises(NotAllowed) as caught:
        CredentialBox([CredentialBox.new_key()]).open(sealed)
    assert caught.value.code == "sealed"
    assert not sealed or sealed not in str(caught.value)


def test_a_box_needs_a_key() -> None:
    with pytest.raises(ValueError, match="key"):
        CredentialBox([])


# ----------------------------------------------------------------------------------------------------------- payloads


@given(st.binary(max_size=300))
def test_a_payload_is_opened_as_it_was_sealed(plain: bytes) -> None:
    ring = KeyRing({"k1": KeyRing.new_key()}, "k1")
    assert ring.open("k1", ring.seal(plain)) == plain


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_payload_with_any_bit_changed_is_refused(plain: bytes, data: st.DataObject) -> None:
    ring = KeyRing({"k1": base64.urlsafe_b64encode(bytes(32)).decode()}, "k1")
    sealed = bytearray(ring.seal(plain))
    place = data.draw(st.integers(min_value=0, max_value=len(sealed) - 1))
    sealed[place] ^= 1 << data.draw(st.integers(min_value=0, max_value=7))
    with pytest.raises(NotAllowed):
        ring.open("k1", bytes(sealed))


def test_a_payload_sealed_under_one_name_does_not_open_under_another_with_the_same_key() -> None:
    key = KeyRing.new_key()
    ring = KeyRing({"k1": key, "k2": key}, "k1")
    with pytest.raises(NotAllowed):
        ring.open("k2", ring.seal(b"payload"))


def test_an_older_payload_key_still_opens_after_rotation_and_an_unknown_one_does_not() -> None:
    keys = {"k1": KeyRing.new_key(), "k2": KeyRing.new_key()}
    sealed = KeyRing(keys, "k1").seal(b"payload")
    rotated = KeyRing(keys, "k2")
    assert rotated.open("k1", sealed) == b"payload"
    with pytest.raises(NotAllowed):
        rotated.open("k3", sealed)


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(12), bytes(27)])
def test_a_payload_that_is_too_short_is_refused_and_never_an_error_of_another_kind(sealed: bytes) -> None:
    with pytest.raises(NotAllowed):
        KeyRing({"k1": KeyRing.new_key()}, "k1").open("k1", sealed)


def test_the_active_key_must_be_in_the_ring() -> None:
    with pytest.raises(ValueError, match="k2"):
        KeyRing({"k1": KeyRing.new_key()}, "k2")


def test_a_hash_is_the_same_for_text_and_its_bytes() -> None:
    assert sha256_hex("kivuko") == sha256_hex(b"kivuko")
    assert len(sha256_hex("")) == 64
