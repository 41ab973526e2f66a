"""Provider clients made from stored connections: which class, which settings, which secrets."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final, Protocol

from core.addresses import STRICT, DiallingRules
from core.crypto import CredentialBox
from models.messages.connections import (
    BankSecrets,
    BankSettings,
    DarajaSecrets,
    DarajaSettings,
    FineractSecrets,
    FineractSettings,
    Patience,
    Provider,
    SealedConnection,
    Trust,
)
from providers.daraja.client import Daraja
from providers.daraja.requests import DarajaCredentials
from providers.fineract.client import Fineract
from providers.fineract.wire import FineractCredentials
from providers.ncba.client import Ncba
from providers.ncba.requests import NcbaCredentials
from providers.ports import Endpoint, ExchangeRecorder
from providers.reference_bank.client import ReferenceBank
from providers.reference_bank.requests import ReferenceBankCredentials

ProviderClient = Daraja | Fineract | Ncba | ReferenceBank


class _Reached(Protocol):
    """What every kind of connection settings has."""

    @property
    def base_url(self) -> str: ...
    @property
    def trust(self) -> Trust: ...
    @property
    def patience(self) -> Patience: ...


def addresses_of(connection: SealedConnection) -> dict[str, str]:
    """The addresses that whoever gave the connection chose, by the field that holds each."""
    found = {"base_url": connection.settings.get("base_url"), "till.base_url": connection.settings.get("till_base_url")}
    return {field: address for field, address in found.items() if address}


def build(
    connection: SealedConnection, box: CredentialBox, recorder: ExchangeRecorder, rules: DiallingRules = STRICT
) -> ProviderClient:
    """A client from a connection that need not be stored yet. `rules` say which addresses it may call. The caller closes
    it."""
    return _BUILDERS[connection.provider](connection.settings, box.open(connection.sealed), recorder, rules)


def _fineract(
    given: Mapping[str, Any], secrets: str | bytes, recorder: ExchangeRecorder, rules: DiallingRules
) -> Fineract:
    server, user = FineractSettings.model_validate(given), FineractSecrets.model_validate_json(secrets)
    return Fineract(
        _endpoint(server, rules),
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


def _daraja(given: Mapping[str, Any], secrets: str | bytes, recorder: ExchangeRecorder, rules: DiallingRules) -> Daraja:
    settings, keys = DarajaSettings.model_validate(given), DarajaSecrets.model_validate_json(secrets)
    return Daraja(
        _endpoint(settings, rules),
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


def _bank(
    given: Mapping[str, Any], sealed: str | bytes, recorder: ExchangeRecorder, rules: DiallingRules
) -> Ncba | ReferenceBank:
    settings, secrets = BankSettings.model_validate(given), BankSecrets.model_validate_json(sealed)
    if settings.dialect == "reference":
        return ReferenceBank(
            _endpoint(settings, rules), ReferenceBankCredentials(token=secrets.token or ""), recorder=recorder
        )
    return Ncba(
        _endpoint(settings, rules),
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


_BUILDERS: Final[
    dict[Provider, Callable[[Mapping[str, Any], str | bytes, ExchangeRecorder, DiallingRules], ProviderClient]]
] = {"daraja": _daraja, "bank": _bank, "fineract": _fineract}


def _endpoint(settings: _Reached, rules: DiallingRules) -> Endpoint:
    return Endpoint(
        base_url=settings.base_url,
        ca_pem=settings.trust.ca_pem,
        verify_tls=settings.trust.verify_tls,
        connect_timeout=timedelta(seconds=settings.patience.connect_seconds),
        read_timeout=timedelta(seconds=settings.patience.read_seconds),
        rules=rules,
    )
