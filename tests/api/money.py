"""A lender that may do everything with money, at a door behind which nobody works; and bodies that fit it."""

from datetime import UTC, datetime
from typing import Any, Final

import httpx
from sqlmodel import col, select

from core.clock import utc_now
from core.crypto import CredentialBox
from core.ids import CONNECTION, CONTACT, new_id
from models.messages.base import Message
from models.messages.connections.bank import BankSecrets, BankSettings
from models.messages.connections.daraja import DarajaSecrets
from models.tables.platform.connection import Connection
from models.tables.platform.contact import Contact
from models.tables.platform.security import IdempotencyKey
from models.tables.platform.tariff_band import TariffBand
from store.platform import partner_admin, secret_addresses
from tests.api.conftest import LENDER_NAME, Door
from tests.support.lender import claim_all

TOP_UP: Final[dict[str, Any]] = {"amount": {"amount": "2500.00", "currency": "KES"}}
FLOAT: Final[dict[str, Any]] = {"operator": "mpesa", "amount": {"amount": "2000.00", "currency": "KES"}}
# The transfer costs 30.00, the processing 50.00.
BUY: Final[dict[str, Any]] = {**FLOAT, "expected_total": {"amount": "2080.00", "currency": "KES"}}
COLLECT: Final[dict[str, Any]] = {
    "amount": {"amount": "500.00", "currency": "KES"}, "phone": "+254712345678", "account": "000000091",
}  # fmt: skip
REQUESTS: Final = {"/top-ups": TOP_UP, "/float-purchases": BUY, "/collections": COLLECT}
PARTNER_SCOPES: Final = (
    "top-ups:read", "top-ups:write", "float-purchases:read", "float-purchases:write", "collections:read",
    "collections:write",
)  # fmt: skip


async def rich_lender(door: Door, name: str = LENDER_NAME, *, dialect: str = "ncba", passkey: str | None = "pk") -> str:
    """A lender with a bank and a pass key (both lead nowhere), an authorised contact and prices of float."""
    partner_id = await door.lender(name)
    box = CredentialBox([key.get_secret_value() for key in door.settings.security.credential_keys])
    now = utc_now()
    bank = {
        "dialect": dialect, "base_url": "http://127.0.0.1:9/bank", "wallet_account": f"10002{door.lenders - 1:03}30",
        "wallet_name": "KIVUKO WALLET", "b2c_account": f"10002{door.lenders - 1:03}31", "b2c_name": "KIVUKO B2C",
        "float_account": "600997", "float_name": "JAZA SACCO",
        "till_base_url": "http://127.0.0.1:9/till" if dialect == "ncba" else None,
    }  # fmt: skip
    keys: Message = BankSecrets(token="t", push_user="kvkuser", push_password="kvkpass", push_secrets=("push-secret",))
    async with door.database.transaction() as session:
        connection = Connection(
            id=new_id(CONNECTION), partner_id=partner_id, provider="bank",
            settings=BankSettings.model_validate(bank).model_dump(mode="json"),
            sealed=box.seal(keys.model_dump_json()), version=1, status="ok",
            created_at=now, updated_at=now, **secret_addresses.made(box),
        )  # fmt: skip
        session.add(connection)
        await session.flush()
        await claim_all(session, [connection])
        daraja = await partner_admin.lock_connection(session, partner_id, "daraja")
        assert daraja is not None
        secrets = DarajaSecrets.model_validate_json(box.open(daraja.sealed))
        daraja.sealed = box.seal(secrets.model_copy(update={"passkey": passkey}).model_dump_json())
        secret_addresses.give(daraja, box)
        session.add(daraja)
        session.add(
            Contact(
                id=new_id(CONTACT), partner_id=partner_id, name="Grace", phone="+254711000222", email=None,
                role="authorised", language="en",
            )
        )  # fmt: skip
    for charge, fee in (("bank_transfer", 3000), ("float_processing", 5000)):
        await price(door, charge, fee)
    return partner_id


async def price(door: Door, charge: str, fee_minor: int, *, valid_from: datetime | None = None) -> None:
    """From then on a charge costs so much for everybody; said again it changes nothing."""
    since = valid_from or datetime(2024, 1, 1, tzinfo=UTC)
    async with door.database.transaction() as session:
        there = await session.exec(
            select(TariffBand.id).where(TariffBand.charge == charge, TariffBand.valid_from == since)
        )
        if there.first() is None:
            session.add(
                TariffBand(
                    charge=charge, currency="KES", from_minor=0, to_minor=10**12, fee_minor=fee_minor, valid_from=since
                )
            )  # fmt: skip


async def say(
    visitor: httpx.AsyncClient, path: str, body: dict[str, Any] | None = None, *, key: str | None = None
) -> httpx.Response:
    """A POST under a fresh Idempotency-Key, or under this one."""
    return await visitor.post(f"/api/v1{path}", json=body or {}, headers={"Idempotency-Key": key or new_id("idk")})


async def claimed_keys(door: Door) -> list[str]:
    async with door.database.transaction() as session:
        return list(await session.exec(select(IdempotencyKey.key).order_by(col(IdempotencyKey.key))))
