"""A partner's M-Pesa short code, opened from its connection."""

from activities.clients.provider_clients import ProviderClient, Settings, endpoint
from core.addresses import DiallingRules
from models.messages.connections.daraja import DarajaSecrets, DarajaSettings
from providers.daraja.client import Daraja
from providers.daraja.rails import MpesaPayouts, MpesaPrompts
from providers.daraja.requests import DarajaCredentials
from providers.ports import ExchangeRecorder


def client(given: Settings, secrets: str | bytes, recorder: ExchangeRecorder, rules: DiallingRules) -> Daraja:
    settings, keys = DarajaSettings.model_validate(given), DarajaSecrets.model_validate_json(secrets)
    return Daraja(
        endpoint(settings, rules),
        DarajaCredentials(
            consumer_key=keys.consumer_key,
            consumer_secret=keys.consumer_secret,
            shortcode=settings.shortcode,
            initiator_name=settings.initiator_name,
            initiator_password=keys.initiator_password,
            certificate_pem=settings.certificate_pem,
            b2c_version=settings.b2c_version,
            command_id=settings.command_id,
            passkey=keys.passkey,
            stk_shortcode=settings.stk_shortcode,
            stk_party_b=settings.stk_party,
            stk_type=settings.stk_type,
        ),
        recorder=recorder,
    )


def blamed(given: Settings) -> str:
    return "consumer_secret"


def payouts(client: ProviderClient, given: Settings) -> MpesaPayouts:
    assert isinstance(client, Daraja)
    return MpesaPayouts(client, DarajaSettings.model_validate(given).shortcode)


def prompts(client: ProviderClient, given: Settings) -> MpesaPrompts:
    assert isinstance(client, Daraja)
    return MpesaPrompts(client)
