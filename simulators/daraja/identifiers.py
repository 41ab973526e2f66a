"""Ids shaped as M-Pesa's (daraja.md 3.3, 3.4). Receipts never repeat, since they count on a persistent sequence."""

import secrets
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from simulators.documents import Documents

NAIROBI: Final = ZoneInfo("Africa/Nairobi")

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TAIL: Final = 7
_SPACE: Final = 36**_TAIL
_STRIDE: Final = 30_402_457 * 577  # shares no factor with 36**7, so a walk of it meets every tail once


def conversation_id(now: datetime) -> str:
    """AG_20261121_201036b2c9e14f77a0d8"""
    return f"AG_{now.astimezone(NAIROBI):%Y%m%d}_{secrets.token_hex(10)}"


def originator_id() -> str:
    """53e3-4aa8-9fe0-8f8b5eab4a0e2d8e713: 34 characters, as Daraja makes them."""
    return f"{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(10)[:19]}"


def request_id() -> str:
    return f"{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(10)[:19]}"


def merchant_request_id() -> str:
    """2654-4b64-97ff-b827b542881d3131"""
    return f"{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(8)}"


def checkout_id(now: datetime, number: int, msisdn: str) -> str:
    """ws_CO_211120260914021712345678: the time, up to three digits, and the payer's number without its country code."""
    return f"ws_CO_{now.astimezone(NAIROBI):%d%m%Y%H%M%S}{number % 1000}{msisdn[-9:]}"


def access_token() -> str:
    """28 characters, as Daraja's."""
    return "".join(secrets.choice(_DIGITS + _DIGITS[10:].lower()) for _ in range(28))


def receipt(documents: Documents, now: datetime) -> str:
    """UKL4X7QW2D: year (T is 2025), month A-L, day 1-9 then A-V, and seven more."""
    number = documents.next_number("daraja.receipts") * _STRIDE % _SPACE
    tail = ""
    for _ in range(_TAIL):
        number, digit = divmod(number, 36)
        tail += _DIGITS[digit]
    return f"{placeholder(now)[:3]}{tail}"


def placeholder(now: datetime) -> str:
    """UKL0000000: what fills TransactionID where there is no transaction."""
    local = now.astimezone(NAIROBI)
    day = _DIGITS[local.day]
    return f"{chr(ord('L') + local.year - 2017)}{chr(ord('A') + local.month - 1)}{day}0000000"
