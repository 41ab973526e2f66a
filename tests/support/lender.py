"""One lender for a test: its Fineract, its M-Pesa short code, its bank, two contacts, one product and a tariff."""

from datetime import UTC, datetime

import httpx
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.clients.provider_clients import build
from core.clock import utc_now
from core.crypto import CredentialBox
from core.ids import CONNECTION, CONTACT, PARTNER, new_id
from core.msisdn import Msisdn
from core.settings import Settings
from models import providers
from models.messages.base import Message
from models.messages.connections.bank import BankSecrets, BankSettings
from models.messages.connections.daraja import DarajaSecrets, DarajaSettings
from models.messages.connections.fineract import FineractSecrets, FineractSettings
from models.messages.connections.reach import Patience
from models.messages.connections.sealed import SealedConnection
from models.tables.lending.loan_product import LoanProduct
from models.tables.platform.connection import Connection
from models.tables.platform.contact import Contact
from models.tables.platform.partner import Partner
from models.tables.platform.tariff_band import TariffBand
from providers.daraja.client import Daraja
from providers.ports import forget_exchange
from store.database import Database
from store.platform import claims, secret_addresses
from tests.support.dialling import LOOPBACK

SHORTCODE = "600997"
WALLET_ACCOUNT, B2C_ACCOUNT = "1000200030", "1000200047"
TOKEN = "reference-token"
PUSH_SECRET = "push-secret-2026"
OPENING = "500000.00"  # on the wallet's account at the bank


async def make_lender(
    settings: Settings, database: Database, http: httpx.AsyncClient, *, api_url: str = "", dialect: str = "reference"
) -> str:
    """One lender with its Fineract, its M-Pesa short code, its bank, a contact, one product and tariffs. With an `api_url`
    M-Pesa and the bank are told where to announce payments."""
    app = {
        "consumer_key": new_id("ck"), "consumer_secret": "consumer-secret", "shortcode": SHORTCODE,
        "initiator_name": "kivukoapi", "initiator_password": "Init#2026", "utility_balance": "90000000.00",
        "passkey": "passkey-2026",
    }  # fmt: skip
    opened = await http.post("/daraja/simulator/apps", json=app)
    assert opened.status_code == 200, opened.text
    certificate = (await http.get("/daraja/simulator/certificate")).text
    box = CredentialBox([key.get_secret_value() for key in settings.security.credential_keys])
    now, partner_id = utc_now(), new_id(PARTNER)

    def connection(provider: str, plain: Message, secrets: Message) -> Connection:
        return Connection(
            id=new_id(CONNECTION), partner_id=partner_id, provider=provider, settings=plain.model_dump(mode="json"),
            sealed=box.seal(secrets.model_dump_json()), version=1, status="ok",
            created_at=now, updated_at=now, **secret_addresses.made(box),
        )  # fmt: skip

    base = str(http.base_url).rstrip("/")
    bank = connection("bank", bank_settings(base, dialect), BANK_SECRETS)
    await open_bank(http)
    async with database.transaction() as session:
        session.add(
            Partner(
                id=partner_id, name=f"Demo Sacco {partner_id[-6:]}", currency="KES", country="KE",
                timezone="Africa/Nairobi", language="en", status="active",
                low_balance_minor=10_000, created_at=now, updated_at=now,
            )
        )  # fmt: skip
        await session.flush()
        session.add_all(
            [
                connection(
                    "fineract",
                    FineractSettings(
                        base_url=f"{base}/fineract/fineract-provider/api", patience=Patience(read_seconds=1)
                    ),
                    FineractSecrets(username="mifos", password="password"),
                ),
                connection(
                    "daraja",
                    DarajaSettings(
                        base_url=f"{base}/daraja", shortcode=SHORTCODE, initiator_name="kivukoapi",
                        certificate_pem=certificate, patience=Patience(read_seconds=1),
                    ),
                    DarajaSecrets(
                        consumer_key=app["consumer_key"], consumer_secret="consumer-secret",
                        initiator_password="Init#2026", passkey="passkey-2026",
                    ),
                ),
                bank,
                Contact(
                    id=new_id(CONTACT), partner_id=partner_id, name="Grace", phone="+254711000222",
                    email="grace@example.com", role="authorised", language="en",
                ),
                LoanProduct(
                    partner_id=partner_id, product_id=1, name="Boda Boda Loan", currency="KES", enabled=True,
                    min_minor=10_000, max_minor=15_000_000, daily_minor=None, above_maximum="refuse", synced_at=now,
                ),
            ]
        )  # fmt: skip
        for charge, fee in (("processing", 1000), ("sms", 200), ("bank_transfer", 3000), ("float_processing", 5000)):
            session.add(
                TariffBand(
                    charge=charge, currency="KES", from_minor=0, to_minor=10**12, fee_minor=fee,
                    valid_from=datetime(2024, 1, 1, tzinfo=UTC),
                )
            )  # fmt: skip
        await session.flush()
        rows = list(await session.exec(select(Connection).where(Connection.partner_id == partner_id)))
        await claim_all(session, rows)
    if api_url:
        daraja = SealedConnection.model_validate(
            next(row for row in rows if row.provider == "daraja"), from_attributes=True
        )
        await announce_to(
            http,
            api_url,
            {row.provider: secret_addresses.opened(row, box) for row in rows},
            dialect,
            daraja,
            box,
        )
    return partner_id


async def claim_all(session: AsyncSession, connections: list[Connection]) -> None:
    """As the API does with a connection that it has proven."""
    for row in connections:
        row.tenant_key = await claims.take(
            session, providers.settings_of(row.provider, row.settings).claims(), partner_id=row.partner_id,
            connection_id=row.id, by="test",
        )  # fmt: skip
        session.add(row)


BANK_SECRETS = BankSecrets(
    username="KVKOB01", password="bank-password", subscription_key="subscription", token=TOKEN, till_username="till",
    till_password="till-password", push_user="kvkuser", push_password="kvkpass", push_secrets=(PUSH_SECRET,),
)  # fmt: skip


def bank_settings(base: str, dialect: str) -> BankSettings:
    return BankSettings.model_validate(
        {
            "dialect": dialect,
            "base_url": f"{base}/bank/{dialect}",
            "wallet_account": WALLET_ACCOUNT,
            "wallet_name": "KIVUKO WALLET",
            "b2c_account": B2C_ACCOUNT,
            "b2c_name": "KIVUKO B2C",
            "float_account": SHORTCODE,
            "float_name": "DEMO SACCO",
            "settlement_window_minutes": 1,
            "till_base_url": f"{base}/bank/ncba" if dialect == "ncba" else None,
            "till_paybill": "880100",
            "till_account": "KVKTILL1",
            "patience": {"read_seconds": 1},
        }
    )


async def open_bank(http: httpx.AsyncClient) -> None:
    """Two accounts at the simulated bank and a customer that speaks both dialects."""
    for number, name, opening in ((WALLET_ACCOUNT, "KIVUKO WALLET", OPENING), (B2C_ACCOUNT, "KIVUKO B2C", "0.00")):
        body = {"number": number, "name": name, "balance": opening}
        (await http.post("/bank/simulator/accounts", json=body)).raise_for_status()
    customer = {
        "name": "kivuko", "accounts": [WALLET_ACCOUNT, B2C_ACCOUNT], "user_id": BANK_SECRETS.username,
        "password": BANK_SECRETS.password, "subscription_key": BANK_SECRETS.subscription_key,
        "till_username": BANK_SECRETS.till_username, "till_password": BANK_SECRETS.till_password,
        "till_account": "KVKTILL1", "till_lands_on": WALLET_ACCOUNT, "token": TOKEN,
    }  # fmt: skip
    (await http.post("/bank/simulator/customers", json=customer)).raise_for_status()


async def announce_to(
    http: httpx.AsyncClient,
    api_url: str,
    secrets: dict[str, str],
    dialect: str,
    daraja: SealedConnection,
    box: CredentialBox,
) -> None:
    """Tells the simulated M-Pesa and bank where to announce payments, as a real registration would."""
    for account in (WALLET_ACCOUNT, B2C_ACCOUNT):
        body = {
            "account": account, "url": f"{api_url}/cb/bank/{secrets['bank']}/", "dialect": dialect,
            "user": "kvkuser", "password": "kvkpass", "secret": PUSH_SECRET,
        }  # fmt: skip
        (await http.post("/bank/simulator/pushes", json=body)).raise_for_status()
    mpesa = build(daraja, box, forget_exchange, LOOPBACK)
    assert isinstance(mpesa, Daraja)
    address = f"{api_url}/cb/in/{secrets['daraja']}"
    await mpesa.register_c2b(f"{address}/confirm", f"{address}/check", "Completed")
    await mpesa.pull_register(Msisdn("+254711000222"), f"{address}/confirm")
    await mpesa.close()
