"""The forms that texts must have, as a person says them: what stands in a refusal instead of a regular expression."""

import re
from typing import Final

_ID: Final = re.compile(r"\^([a-z]{3})_\[0-9a-hjkmnp-tv-z\]\{26\}\$")
_ANY_ID: Final = re.compile(r"\^\(([a-z|]+)\)_\[0-9a-hjkmnp-tv-z\]\{26\}\$")
_CHOICE: Final = re.compile(r"\^\(([a-z_.|\-]+)\)\$")

_WORDS: Final[dict[str, str]] = {
    r"^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$": "Give the `next_cursor` of the page before",
    r"^[1-9][0-9]{0,17}$": "Give the `next_cursor` of the page before",
    r"^[0-9A-Za-z_-]{1,60}$": "Give the `next_cursor` of the page before",
    r"^[0-9]{1,17}\.[0-9A-Za-z_/\-]{1,100}$": "Give the `next_cursor` of the page before",
    r"^(me|nobody|psn_[0-9a-hjkmnp-tv-z]{26})$": "Write me, nobody or the id of a person",
    r"^[0-9a-f]{32}$": "Give the `version` of the request as you saw it",
    r"^[a-z_.*\-]+$": "Write the name of an act, such as wallets.credit",
    r"^(0|[1-9][0-9]{0,15})(\.[0-9]{1,2})?$": "Write the amount in digits with a point, such as 1250.00",
    r"^[ -~]+$": "Write plain letters, digits and signs",
    r"^[!-~]{1,128}$": "Write 1 to 128 plain letters, digits and signs, without blanks",
    r"^[!-~]*[0-9][!-~]*$": "Write plain letters, digits and signs without blanks, a digit among them",
    r"^[^\x00]*$": "Write text without the character NUL",
    r"^[^\x00-\x1f]*$": "Write one line, without line breaks and tabs",
    r"^[^\x00-\x1f\x7f]*$": "Write one line, without line breaks and tabs",
    r"^[\t\n\r -~]+$": "Write it as PEM: plain letters, digits and signs",
    r"^[a-z_]{1,30}$": "Write 1 to 30 small letters and _ only",
    r"^[A-Z]{2}$": "Write the two capitals of ISO 3166, such as KE",
    r"^[0-9]{6}$": "Write the six digits of the code",
    r"^[0-9]{5,7}$": "Write the 5 to 7 digits of a short code",
    r"^[A-Za-z0-9]{1,20}$": "Write 1 to 20 letters and digits",
    r"^[A-Za-z0-9]{3,40}$": "Write the 3 to 40 letters and digits of the receipt",
    r"^[A-Za-z0-9-]{4,34}$": "Write the account's number: 4 to 34 letters, digits and hyphens",
    r"^[A-Za-z0-9][A-Za-z0-9 ./_\-]*$": "Write letters, digits, blanks and . / _ - only, a letter or digit first",
    r"^[A-Za-z0-9][A-Za-z0-9 ._:#/\-]*$": "Write letters, digits, blanks and . _ : # / - only, a letter or digit first",
    r"^[A-Za-z][A-Za-z0-9_.\-]{0,39}$": "Name it by up to 40 letters, digits and _ . - only, a letter first",
    r"^[A-Za-z0-9_\-]{1,60}$": "Write the reference of an attempt: 1 to 60 letters, digits and _ -",
    r"^[A-Za-z0-9._/\-]{3,40}$": "Write 3 to 40 letters, digits and . _ / - only",
    r"^[A-Za-z0-9._/\-]{3,60}$": "Write 3 to 60 letters, digits and . _ / - only",
    r"^[A-Za-z0-9][A-Za-z0-9./_-]{2,39}$": "Write 3 to 40 letters, digits and . / _ - only, a letter or digit first",
    r"^[A-Za-z0-9.\-]{1,253}(:[0-9]{1,5})?$": (
        "Write the server's name, with its port if need be: fineract.lender.example:8443"
    ),
    r"^https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~%/\-]*)?$": (
        "Write an address that begins with https://, without user, question or fragment"
    ),
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~\-]+@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)+$": (
        "Write an email address, such as amina@lender.example"
    ),
}


def words_of(pattern: str) -> str | None:
    """What a text of this form is, as an order to who writes it; None for a form that has no words yet."""
    if found := _WORDS.get(pattern):
        return found
    if found_id := _ID.fullmatch(pattern):
        return f"Give an id of ours: {found_id.group(1)}_ and 26 letters and digits"
    if found_ids := _ANY_ID.fullmatch(pattern):
        begins = ", ".join(f"{prefix}_" for prefix in found_ids.group(1).split("|"))
        return f"Give a payment's id: {begins} and 26 letters and digits"
    if choice := _CHOICE.fullmatch(pattern):
        return f"It must be one of {', '.join(choice.group(1).split('|'))}"
    return None
