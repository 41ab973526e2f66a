"""What every endpoint may ask for: the services of this process, put together once."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Final, Self

from fastapi import Depends, FastAPI, Request
from temporalio.client import Client

from api.http.metrics import Metrics
from api.http.rate_limit import RateLimit
from api.http.wrong_keys import WrongKeys
from core.crypto import CallbackSigner, CodeHasher, CredentialBox
from core.settings import Settings
from inbound.fair_turns import FairTurns
from store.database import Database

# Each takes 64 MiB for some tens of milliseconds.
_PASSWORDS_AT_ONCE: Final = 2


@dataclass(frozen=True)
class Services:
    """The process's connections and keys. No provider client is among them: the API never calls a provider."""

    settings: Settings
    database: Database
    client: Client
    box: CredentialBox
    signer: CallbackSigner
    codes: CodeHasher
    metrics: Metrics
    rate: RateLimit
    hints: RateLimit
    turns: FairTurns
    wrong_keys: WrongKeys
    password_checks: asyncio.Semaphore

    @classmethod
    def build(cls, settings: Settings, database: Database, client: Client, metrics: Metrics) -> Self:
        security = settings.security
        secrets = [secret.get_secret_value() for secret in security.callback_secrets]
        return cls(
            settings=settings,
            database=database,
            client=client,
            box=CredentialBox([key.get_secret_value() for key in security.credential_keys]),
            signer=CallbackSigner(secrets),
            codes=CodeHasher(secrets),
            metrics=metrics,
            rate=RateLimit(settings.api.rate_per_minute),
            hints=RateLimit(settings.callbacks.hints_per_minute),
            turns=FairTurns(
                settings.callbacks.deliveries_at_once,
                settings.callbacks.deliveries_per_partner,
                waiting=settings.callbacks.deliveries_waiting,
            ),
            wrong_keys=WrongKeys(settings.api.wrong_keys_per_minute),
            password_checks=asyncio.Semaphore(_PASSWORDS_AT_ONCE),
        )


def put_services(app: FastAPI, services: Services) -> None:
    app.state.services = services


def services_of(request: Request) -> Services:
    found = request.app.state.services
    assert isinstance(found, Services)
    return found


ServicesDep = Annotated[Services, Depends(services_of)]
