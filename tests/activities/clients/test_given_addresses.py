"""An address is refused when it is given, by the field that holds it, and in the same words whatever stands behind it."""

import pytest

from activities.clients.callback_urls import CallbackUrls
from activities.clients.connections import Connections
from activities.clients.partner_connections import PartnerConnections
from core.addresses import DiallingRules
from core.crypto import CallbackSigner, CredentialBox
from core.settings import Settings
from models.messages.connections.bank import BankSecrets, BankSettings
from models.messages.connections.fineract import FineractSecrets, FineractSettings
from models.messages.connections.jobs import CheckConnection, ConnectionChecked
from models.messages.connections.sealed import SealedConnection
from store.database import Database
from tests.providers.message_servers import free_port, raw_server
from tests.support.dialling import LOOPBACK

STRICT = DiallingRules()


async def checked(database: Database, rules: DiallingRules, connection: SealedConnection) -> ConnectionChecked:
    box = CredentialBox([key.get_secret_value() for key in Settings(_env_file=None).security.credential_keys])
    connections = Connections(database, box, rules)
    checks = PartnerConnections(
        database, connections, CallbackUrls("https://kivuko.example", CallbackSigner(["s" * 32]))
    )
    return await checks.check(CheckConnection(connection=connection))


def fineract(base_url: str) -> SealedConnection:
    box = CredentialBox([key.get_secret_value() for key in Settings(_env_file=None).security.credential_keys])
    secrets = FineractSecrets(username="mifos", password="password")
    settings = FineractSettings(base_url=base_url).model_dump(mode="json")
    return SealedConnection(provider="fineract", settings=settings, sealed=box.seal(secrets.model_dump_json()))


def bank(base_url: str, till: str) -> SealedConnection:
    box = CredentialBox([key.get_secret_value() for key in Settings(_env_file=None).security.credential_keys])
    accounts = {
        f"{role}_{part}": "Accounts" if part == "name" else "1000200030"
        for role in ("wallet", "b2c", "float")
        for part in ("account", "name")
    }
    settings = BankSettings.model_validate({"dialect": "ncba", "base_url": base_url, "till_base_url": till, **accounts})
    sealed = box.seal(BankSecrets(push_secrets=("s",), username="u", password="p").model_dump_json())
    return SealedConnection(provider="bank", settings=settings.model_dump(mode="json"), sealed=sealed)


@pytest.mark.parametrize(
    "address",
    ["https://127.0.0.1/api", "https://10.0.0.7/api", "https://[::1]/api", "https://169.254.169.254/latest",
     "https://nobody.invalid/api", "http://93.184.216.34/api", "https://93.184.216.34:22/api", "https://0177.0.0.1/"],
)  # fmt: skip
async def test_an_inner_an_unknown_and_an_odd_address_are_refused_alike(database: Database, address: str) -> None:
    answer = await checked(database, STRICT, fineract(address))
    assert (answer.ok, answer.code, answer.field) == (False, "address_refused", "base_url")
    assert answer.detail == "This address leads to no server that may be called from here."


async def test_the_tills_address_is_vetted_as_well(database: Database) -> None:
    answer = await checked(database, STRICT, bank("https://93.184.216.34", "https://10.0.0.7"))
    assert (answer.code, answer.field) == ("address_refused", "till.base_url")


async def test_why_a_server_was_not_reached_is_told_to_nobody(database: Database) -> None:
    async def hangs_up(reader: object, writer: object) -> None:
        return None

    async with raw_server(hangs_up) as port:
        told = [
            await checked(database, LOOPBACK, fineract(f"http://127.0.0.1:{where}/api"))
            for where in (port, free_port())
        ]
    assert told[0] == told[1]
    assert (told[0].code, told[0].field) == ("not_reached", "base_url")
