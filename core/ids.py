"""Ids: a prefix that says what it is, then 26 lowercase characters.

Ids are made by the client, the API or the workflow *before* the effect they name. `new_id` sorts by time of making. What
a workflow names towards a provider is never drawn but *derived* (`derived_id`): a reset, a restore or a failover forgets
what was drawn, makes another id, and pays a second time under it.
"""

import hashlib
import os
import time
from datetime import datetime
from typing import Final

TOP_UP_CODE: Final = "T"
COLLECTION_CODE: Final = "C"

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u to misread

# What begins the ids of sagas is in models/kinds.py.
PARTNER: Final = "prt"
CONNECTION: Final = "con"
CONTACT: Final = "cnt"
API_KEY: Final = "key"
PAYOUT: Final = "pay"
PROMPT: Final = "ask"  # a prompt to a payer's phone
INCOMING: Final = "inp"
CASE: Final = "cas"
INBOX: Final = "inb"
EXCHANGE: Final = "exc"
NOTIFICATION: Final = "ntf"
AUDIT: Final = "aud"
PERSON: Final = "psn"
DECISION: Final = "dec"
APPROVAL: Final = "apr"
ANSWER: Final = "apd"  # to an approval request
DELEGATION: Final = "dlg"
RECONCILIATION: Final = "rcn"
REPORT_SUBSCRIPTION: Final = "rsb"
BULK_ACTION: Final = "blk"
REQUEST: Final = "req"
SESSION: Final = "ses"  # of a person in a browser


def new_id(prefix: str) -> str:
    """A new id such as `prt_01ktv…`: 48 bits of milliseconds, 80 bits of randomness. Not for workflow code."""
    return _spell(prefix, (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10), "big"))


def first_id(prefix: str, moment: datetime) -> str:
    """The least id that `new_id` can have made at this moment or later: what was made since then is found by it."""
    return _spell(prefix, int(moment.timestamp() * 1000) << 80)


def derived_id(prefix: str, *facts: str | int) -> str:
    """The id that these facts have, the same wherever and however often it is asked for: 128 bits of SHA-256 over them."""
    plain = "\n".join(str(fact) for fact in facts)
    return _spell(prefix, int.from_bytes(hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()[:16], "big"))


def payer_code(kind: str) -> str:
    """What a payer reads and types: `KV`, one letter of its kind, eight random characters ("KVT7F3A9C2E"): 40 bits, at
    most 12 characters as M-Pesa takes. Not for workflow code."""
    number = int.from_bytes(os.urandom(5), "big")
    return f"KV{kind}" + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(35, -1, -5)).upper()


def _spell(prefix: str, number: int) -> str:
    digits = [_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(digits)}"
