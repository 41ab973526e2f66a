"""A partner's bank, opened from its connection: which client speaks its dialect."""

from datetime import timedelta

from activities.clients.provider_clients import ProviderClient, Settings, endpoint
from core.addresses import DiallingRules
from models.messages.connections.bank import BankSecrets, BankSettings
from providers.bank_rails import BankPayouts, BankPrompts
from providers.ncba.client import Ncba
from providers.ncba.requests import NcbaCredentials
from providers.ports import ExchangeRecorder
from providers.reference_bank.client import ReferenceBank
from providers.reference_bank.requests import ReferenceBankCredentials


def client(
    given: Settings, sealed: str | bytes, recorder: ExchangeRecorder, rules: DiallingRules
) -> Ncba | ReferenceBank:
    settings, secrets = BankSettings.model_validate(given), BankSecrets.model_validate_json(sealed)
    if settings.dialect == "reference":
        return ReferenceBank(
            endpoint(settings, rules), ReferenceBankCredentials(token=secrets.token or ""), recorder=recorder
        )
    return Ncba(
        endpoint(settings, rules),
        NcbaCredentials(
            user_id=secrets.username or "",
            password=secrets.password or "",
            subscription_key=secrets.subscription_key or "",
            till_base_url=settings.till_base_url,
            till_username=secrets.till_username,
            till_password=secrets.till_password,
            till_paybill=settings.till_paybill,
            till_account=settings.till_account,
            rejection_codes=settings.rejection_codes,
        ),
        recorder=recorder,
    )


def blamed(given: Settings) -> str:
    return "token" if BankSettings.model_validate(given).dialect == "reference" else "password"


def payouts(client: ProviderClient, given: Settings) -> BankPayouts:
    assert isinstance(client, Ncba | ReferenceBank)
    minutes = BankSettings.model_validate(given).settlement_window_minutes
    return BankPayouts(client, timedelta(minutes=minutes))


def prompts(client: ProviderClient, given: Settings) -> BankPrompts:
    assert isinstance(client, Ncba | ReferenceBank)
    return BankPrompts(client)
