"""The message gateways of a worker process, from its settings: the first SMS gateway is tried first."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

from activities.clients.exchange_log import ExchangeLog
from core.addresses import HOUSE_CHOSEN
from core.settings import Settings, SmsGateway
from providers.africastalking.client import AfricasTalking
from providers.damza.client import Damza
from providers.ports import EmailPort, Endpoint
from providers.sms import SmsCredentials
from providers.smtp.client import Smtp
from store.database import Database
from workers.outbox import SmsSender


@dataclass
class Gateways:
    """Use as `async with`; closes its HTTP clients."""

    sms: list[SmsSender]
    email: EmailPort
    _stack: AsyncExitStack

    @classmethod
    def open(cls, settings: Settings, database: Database) -> Self:
        log = ExchangeLog(database, None)
        stack = AsyncExitStack()
        damza = Damza(_endpoint(settings.sms.damza), _credentials(settings.sms.damza), recorder=log)
        second = AfricasTalking(
            _endpoint(settings.sms.africastalking), _credentials(settings.sms.africastalking), recorder=log
        )
        stack.push_async_callback(damza.close)
        stack.push_async_callback(second.close)
        mail = settings.email
        email = Smtp(
            mail.host,
            mail.port,
            mail.username,
            mail.password.get_secret_value() if mail.password else None,
            mail.tls,
            mail.sender,
        )
        return cls([damza, second], email, stack)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()


def _endpoint(gateway: SmsGateway) -> Endpoint:
    return Endpoint(base_url=gateway.base_url, ca_pem=gateway.ca_pem, rules=HOUSE_CHOSEN)


def _credentials(gateway: SmsGateway) -> SmsCredentials:
    return SmsCredentials(
        username=gateway.username,
        api_key=gateway.api_key.get_secret_value(),
        sender_id=gateway.sender_id,
        dialect=gateway.dialect,
    )
