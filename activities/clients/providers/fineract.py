"""A lender's Fineract, opened from its connection."""

from activities.clients.provider_clients import Settings, endpoint
from core.addresses import DiallingRules
from models.messages.connections.fineract import FineractSecrets, FineractSettings
from providers.fineract.client import Fineract
from providers.fineract.wire import FineractCredentials
from providers.ports import ExchangeRecorder


def client(given: Settings, secrets: str | bytes, recorder: ExchangeRecorder, rules: DiallingRules) -> Fineract:
    server, user = FineractSettings.model_validate(given), FineractSecrets.model_validate_json(secrets)
    return Fineract(
        endpoint(server, rules),
        FineractCredentials(
            tenant=server.tenant,
            username=user.username,
            password=user.password,
            timezone=server.timezone,
            savings_external_ids=server.savings_external_ids,
            collections=server.collections,
        ),
        recorder=recorder,
    )


def blamed(given: Settings) -> str:
    return "password"
