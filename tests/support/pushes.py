"""Pushes of a bank made by hand, in either dialect, for a door behind which nobody works."""

import json
from typing import Any, Final

import httpx
from sqlmodel import select

from core.clock import utc_now
from core.ids import new_id
from models.tables.platform.connection import Connection
from providers.reference_bank.wire import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from simulators.bank.courier import ncba_envelope
from tests.support.addresses import secret_of as address_secret

SECRET: Final = "push-secret"
WALLET, B2C = "1000200030", "1000200031"


async def bank_path(door: Any, partner_id: str) -> str:
    return f"/cb/bank/{await secret_of(door, partner_id, 'bank')}/"


async def secret_of(door: Any, partner_id: str, provider: str) -> str:
    """The secret part of a connection's address."""
    async with door.database.transaction() as session:
        found = await session.exec(
            select(Connection).where(Connection.partner_id == partner_id, Connection.provider == provider)
        )
        return address_secret(door.settings, found.one())


def event(kind: str, *, secret: str = SECRET, **data: Any) -> tuple[bytes, dict[str, str]]:
    """A signed event of the reference bank."""
    body = {"event_id": new_id("evt"), "type": kind, "occurred_at": utc_now().isoformat(), "data": data}
    raw, stamp = json.dumps(body).encode(), str(int(utc_now().timestamp()))
    return raw, {TIMESTAMP_HEADER: stamp, SIGNATURE_HEADER: sign(secret, stamp, raw)}


def credited(account: str = WALLET, *, amount: str = "1500.00", reference: str = "-", **more: Any) -> dict[str, Any]:
    return {
        "bank_transaction_id": new_id("FT"), "account": account, "amount": amount, "currency": "KES",
        "reference": reference, **more,
    }  # fmt: skip


def ncba(*, secret: str = SECRET, **fields: str) -> bytes:
    """A hashed push of NCBA; a credit on the wallet's account unless `fields` say otherwise."""
    told = {
        "TransType": "CR-TRF", "TransID": new_id("FT"), "TransTime": "2601011230", "TransAmount": "1500.00",
        "AccountNr": WALLET, "Narrative": "-", "Status": "SUCCESS", **fields,
    }  # fmt: skip
    return ncba_envelope(told, "kvkuser", "kvkpass", secret)


async def push(door: Any, partner_id: str, raw: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    answer: httpx.Response = await door.visitor().post(
        await bank_path(door, partner_id), content=raw, headers=headers or {"content-type": "text/xml"}
    )
    return answer
