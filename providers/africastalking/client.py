"""Africa's Talking, the second SMS gateway (sms_email.md 2). Their own library is synchronous, hence httpx."""

from typing import Self

from core.msisdn import Msisdn
from providers.africastalking import wire
from providers.http import ProviderHttp, unreadable
from providers.ports import Endpoint, ExchangeRecorder, SmsAccepted, forget_exchange
from providers.sms import SmsCredentials, refused_by_status, require_text


class AfricasTalking:
    """Implements SmsPort.

    Raises of `send`: Rejected (`extra["failover"]` says whether the other gateway may take it), Transient when the
    message did not leave or we were throttled, Unknown for a timeout, a 5xx or an answer that cannot be read.
    """

    name = wire.GATEWAY
    reports_deliveries = True

    def __init__(
        self, endpoint: Endpoint, credentials: SmsCredentials, *, recorder: ExchangeRecorder = forget_exchange
    ) -> None:
        self._credentials = credentials
        self._http = ProviderHttp(self.name, endpoint, recorder=recorder)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.close()

    async def send(self, to: Msisdn, text: str, *, reference: str) -> SmsAccepted:
        """One message to one number. `reference` reaches the exchange log only: the API takes no id of ours."""
        require_text(text)
        answer = await self._http.call(
            "sms.send",
            "POST",
            wire.SEND_PATH,
            effect="money",
            form=wire.send_form(self._credentials, to, text),
            headers=self._headers(),
            reference=reference,
        )
        if refusal := refused_by_status(self.name, answer.status, answer.headers):
            raise refusal
        outcome = wire.send_answer(answer.status, answer.object, answer.text)
        if isinstance(outcome, SmsAccepted):
            return outcome
        raise outcome or unreadable(self.name, "sms.send", answer, "money")

    async def check(self) -> None:
        """Reads the account. Raises NotAllowed for refused credentials, Transient where no verdict came."""
        answer = await self._http.call(
            "sms.balance",
            "GET",
            wire.USER_PATH,
            effect="read",
            params={"username": self._credentials.username},
            headers=self._headers(),
        )
        if refusal := refused_by_status(self.name, answer.status, answer.headers):
            raise refusal
        if answer.status != 200 or "UserData" not in answer.object:
            raise unreadable(self.name, "sms.balance", answer, "read")

    def _headers(self) -> dict[str, str]:
        return {"apiKey": self._credentials.api_key, "Accept": "application/json"}
