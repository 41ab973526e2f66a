"""Damza, the first SMS gateway, in the two dialects of its traces (sms_email.md 1)."""

from typing import Self
from urllib.parse import urlsplit

from core.errors import InvalidRequest
from core.msisdn import Msisdn
from providers.damza import wire
from providers.http import Answer, Effect, ProviderHttp, unreadable
from providers.ports import Endpoint, ExchangeRecorder, SmsAccepted, forget_exchange
from providers.sms import SmsCredentials, refused_by_status, require_text

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Damza:
    """Implements SmsPort. The secret travels in the query string, so no URL of this client may reach a log.

    Raises of `send`:
    Rejected (`extra["failover"]` says whether the other gateway may take it), Transient when the message did not leave,
    Unknown for a timeout, a 5xx, HTML, or an answer that says neither yes nor no: it may be on its way.
    """

    name = wire.GATEWAY
    reports_deliveries = False  # none of its traces shows a report (sms_email.md 1)

    def __init__(
        self, endpoint: Endpoint, credentials: SmsCredentials, *, recorder: ExchangeRecorder = forget_exchange
    ) -> None:
        """Raises InvalidRequest without a dialect, and for AirTouch over plain http except on loopback."""
        if not credentials.dialect:
            raise InvalidRequest("Damza needs a dialect: panel or airtouch.", field="dialect")
        address = urlsplit(endpoint.base_url)
        if credentials.dialect == "airtouch" and address.scheme != "https" and address.hostname not in _LOOPBACK:
            raise InvalidRequest("Damza's airtouch dialect is used over https only.", field="base_url")
        self._credentials = credentials
        self._http = ProviderHttp(self.name, endpoint, recorder=recorder)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.close()

    async def send(self, to: Msisdn, text: str, *, reference: str) -> SmsAccepted:
        """One message to one number. The panel dialect carries no reference and gives no message id."""
        require_text(text)
        if self._credentials.dialect == "panel":
            path, params = wire.PANEL_PATH, wire.panel_send(self._credentials, to, text)
        else:
            path, params = wire.AIRTOUCH_PATH, wire.airtouch_send(self._credentials, to, text, reference)
        answer = await self._get("sms.send", path, params, effect="money", reference=reference)
        read = wire.panel_answer if self._credentials.dialect == "panel" else wire.airtouch_answer
        outcome = read(answer.status, answer.object, answer.text) if answer.status < 500 else None
        if isinstance(outcome, SmsAccepted):
            return outcome
        raise outcome or unreadable(self.name, "sms.send", answer, "money")

    async def check(self) -> None:
        """Asks for the balance. Raises NotAllowed for refused credentials, Transient where no verdict came."""
        if self._credentials.dialect == "panel":
            path, params = wire.PANEL_PATH, wire.panel_balance(self._credentials)
        else:
            path, params = wire.AIRTOUCH_BALANCE_PATH, wire.airtouch_balance(self._credentials)
        answer = await self._get("sms.balance", path, params, effect="read")
        read = wire.panel_answer if self._credentials.dialect == "panel" else wire.airtouch_answer
        outcome = read(answer.status, answer.object, answer.text) if answer.status < 500 else None
        if isinstance(outcome, SmsAccepted) or (answer.status == 200 and not outcome and _has_balance(answer)):
            return
        raise outcome or unreadable(self.name, "sms.balance", answer, "read")

    async def _get(
        self, operation: str, path: str, params: dict[str, str], *, effect: Effect, reference: str | None = None
    ) -> Answer:
        answer = await self._http.call(operation, "GET", path, effect=effect, params=params, reference=reference)
        if refusal := refused_by_status(self.name, answer.status, answer.headers):
            raise refusal
        return answer


def _has_balance(answer: Answer) -> bool:
    return wire.shows_balance(answer.object)
