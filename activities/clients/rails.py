"""The rails by which money goes out and comes in: provider → rail, made of an open client and its connection's settings."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from activities.clients.provider_clients import ProviderClient
from models.messages.connections import BankSettings, DarajaSettings
from providers.bank_rails import BankPayouts, BankPrompts
from providers.daraja.client import Daraja
from providers.daraja.rails import MpesaPayouts, MpesaPrompts
from providers.ncba.client import Ncba
from providers.ports import CollectionRail, PayoutRail
from providers.reference_bank.client import ReferenceBank

Settings = Mapping[str, Any]


def _mpesa_payouts(client: ProviderClient, settings: Settings) -> PayoutRail:
    assert isinstance(client, Daraja)
    return MpesaPayouts(client, DarajaSettings.model_validate(settings).shortcode)


def _mpesa_prompts(client: ProviderClient, settings: Settings) -> CollectionRail:
    assert isinstance(client, Daraja)
    return MpesaPrompts(client)


def _bank_payouts(client: ProviderClient, settings: Settings) -> PayoutRail:
    assert isinstance(client, Ncba | ReferenceBank)
    minutes = BankSettings.model_validate(settings).settlement_window_minutes
    return BankPayouts(client, timedelta(minutes=minutes))


def _bank_prompts(client: ProviderClient, settings: Settings) -> CollectionRail:
    assert isinstance(client, Ncba | ReferenceBank)
    return BankPrompts(client)


PAYOUT_RAILS: Final[dict[str, Callable[[ProviderClient, Settings], PayoutRail]]] = {
    "daraja": _mpesa_payouts,
    "bank": _bank_payouts,
}
COLLECTION_RAILS: Final[dict[str, Callable[[ProviderClient, Settings], CollectionRail]]] = {
    "daraja": _mpesa_prompts,
    "bank": _bank_prompts,
}
