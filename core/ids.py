"""Ids: a prefix that says what it is, then 26 lowercase characters that sort by time of making.

Ids are made by the client, the API or the workflow *before* the effect they name. Workflow code must pass a UUID from
`workflow.uuid7()` to `id_from_uuid`, since a workflow may not draw its own randomness or read the clock.
"""

import os
import time
from typing import Final
from uuid import UUID

TOP_UP_CODE: Final = "T"
COLLECTION_CODE: Final = "C"

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u to misread

PARTNER: Final = "prt"
CONNECTION: Final = "con"
CONTACT: Final = "cnt"
API_KEY: Final = "key"
DISBURSEMENT: Final = "dsb"
PAYOUT: Final = "pay"
COLLECTION: Final = "col"
TOP_UP: Final = "top"
FLOAT_PURCHASE: Final = "flt"
PROMPT: Final = "ask"  # a prompt to a payer's phone
INCOMING: Final = "inp"
CASE: Final = "cas"
INBOX: Final = "inb"
EXCHANGE: Final = "exc"
NOTIFICATION: Final = "ntf"
AUDIT: Final = "aud"


def new_id(prefix: str) -> str:
    """A new id such as `prt_01ktv…`: 48 bits of milliseconds, 80 bits of randomness. Not for workflow code."""
    return _spell(prefix, (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10), "big"))


def id_from_uuid(prefix: str, uuid: UUID) -> str:
    """The id that spells this UUID; keeps the order of UUIDs of version 7."""
    return _spell(prefix, uuid.int)


def payer_code(kind: str) -> str:
    """What a payer reads and types: `KV`, one letter of its kind, eight random characters ("KVT7F3A9C2E"): 40 bits, at
    most 12 characters as M-Pesa takes. Not for workflow code."""
    number = int.from_bytes(os.urandom(5), "big")
    return f"KV{kind}" + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(35, -1, -5)).upper()


def _spell(prefix: str, number: int) -> str:
    digits = [_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(digits)}"
