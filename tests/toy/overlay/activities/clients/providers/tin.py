"""The tin, opened from a partner's connection."""

from activities.clients.provider_clients import ProviderClient, Settings, endpoint
from core.addresses import DiallingRules
from models.messages.connections.tin import TinSecrets, TinSettings
from providers.ports import ExchangeRecorder
from providers.tin.client import Tin
from providers.tin.rails import TinPayouts, TinPrompts


def client(given: Settings, sealed: str | bytes, recorder: ExchangeRecorder, rules: DiallingRules) -> Tin:
    settings, secrets = TinSettings.model_validate(given), TinSecrets.model_validate_json(sealed)
    return Tin(endpoint(settings, rules), settings.account, secrets.token, recorder=recorder)


def blamed(given: Settings) -> str:
    return "token"


def payouts(client: ProviderClient, given: Settings) -> TinPayouts:
    assert isinstance(client, Tin)
    return TinPayouts(client)


def prompts(client: ProviderClient, given: Settings) -> TinPrompts:
    assert isinstance(client, Tin)
    return TinPrompts(client)
