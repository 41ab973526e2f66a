"""Daraja over HTTP: one access token, one logical attempt per payout, every answer sorted by what may have happened."""

import asyncio
import base64
import time
from dataclasses import replace
from typing import Final, Self

from core.errors import Garbled, Transient
from providers.daraja.gateway import Ack, error_of, error_of_token, is_token_error, parse_ack, text_of
from providers.daraja.inbox import scrub
from providers.daraja.requests import (
    B2C_PATHS,
    BALANCE_PATH,
    STATUS_PATH,
    TOKEN_PATH,
    DarajaCredentials,
    b2c_request,
    balance_request,
    security_credential,
    status_request,
)
from providers.http import Answer, Effect, ProviderHttp
from providers.ports import (
    Accepted,
    Endpoint,
    Exchange,
    ExchangeRecorder,
    PayoutOrder,
    PayoutPort,
    StatusInquiry,
    forget_exchange,
)

_REFRESH_EARLY: Final = 60.0  # seconds before a token's end at which we stop using it
_DEFAULT_LIFE: Final = 3599


class Daraja(PayoutPort):
    """Safaricom M-Pesa for one short code. Close it.

    Share one object per connection: it keeps the token, and minting one is documented to end the one before.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: DarajaCredentials,
        *,
        recorder: ExchangeRecorder = forget_exchange,
    ) -> None:
        async def record(exchange: Exchange) -> None:
            # The shared log masks credentials and phones; callback URLs hold a secret of ours on top.
            await recorder(replace(exchange, request=scrub(exchange.request), response=scrub(exchange.response)))

        self._http = ProviderHttp("daraja", endpoint, recorder=record)
        self._credentials = credentials
        self._token: str | None = None
        self._token_until = 0.0
        self._minting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.close()

    async def send(self, order: PayoutOrder) -> Accepted:
        """Hands one payout to M-Pesa. `Accepted` means queued; only a result or a status answer says that it was paid.

        Raises, after daraja.md 3.9 and 4:
        - InvalidRequest, NotAllowed: refused here or at the gateway, M-Pesa never saw it.
        - NotReached, Busy, Transient: not sent (no connection, no token); resend under the same reference.
        - Throttled: told by the gateway, known not queued as documented; resend under the same reference after a pause.
          On v1, where a repeat is never safe, only a 4xx counts; a 5xx is Unknown.
        - Unknown (NoAnswer, Garbled, code "maybe_duplicate"): it may have been queued. Ask, never resend.

        `provider_reference` is M-Pesa's ConversationID on v3. On v1 it is the OriginatorConversationID that Daraja
        made, which is what a status query takes there.
        """
        version = self._credentials.b2c_version
        body = b2c_request(order, self._credentials)
        ack = await self._ask("b2c.send", B2C_PATHS[version], body, "money", reference=order.reference)
        if version == "v1":
            return Accepted(ack.originator_id or ack.conversation_id)
        return Accepted(ack.conversation_id)

    async def query_status(self, inquiry: StatusInquiry) -> Accepted:
        """Asks M-Pesa what became of a payout; the answer comes to `inquiry.result_url`, or never. Harmless to repeat.

        Raises Rejected or Transient, never Unknown. InvalidRequest with code "nothing_to_ask" on v1 without an ack.
        """
        body = status_request(inquiry, self._credentials)
        ack = await self._ask("status.query", STATUS_PATH, body, "read", reference=inquiry.reference)
        return Accepted(ack.conversation_id)

    async def query_balance(self, result_url: str, timeout_url: str) -> Accepted:
        """Asks for the balances; the answer comes to `result_url`, or never. Raises Rejected or Transient."""
        body = balance_request(self._credentials, result_url, timeout_url)
        ack = await self._ask("balance.query", BALANCE_PATH, body, "read")
        return Accepted(ack.conversation_id)

    async def check(self) -> None:
        """Tries the certificate and mints a token. The initiator's password can only be tried by a real query.

        Raises InvalidRequest for an unusable certificate, NotAllowed for a refused key, Transient otherwise.
        """
        security_credential(self._credentials)
        async with self._minting:
            await self._mint()

    async def _ask(
        self, operation: str, path: str, body: dict[str, str], effect: Effect, *, reference: str | None = None
    ) -> Ack:
        """One request under a valid token; resent once, unchanged, if the gateway refused the token itself."""
        token = await self._valid_token()
        answer = await self._post(operation, path, body, effect, token, reference)
        if is_token_error(answer.status, answer.json):
            token = await self._valid_token(refused=token)
            answer = await self._post(operation, path, body, effect, token, reference)
        if answer.status == 200:
            try:
                return parse_ack(answer.json)
            except Garbled as error:
                if effect == "read":
                    raise Transient(error.detail, code="no_usable_answer", operation=operation) from None
                raise
        raise error_of(
            operation,
            answer.status,
            answer.json,
            answer.headers,
            effect=effect,
            same_reference_is_safe=self._credentials.b2c_version == "v3",
        )

    async def _post(
        self, operation: str, path: str, body: dict[str, str], effect: Effect, token: str, reference: str | None
    ) -> Answer:
        return await self._http.call(
            operation,
            "POST",
            path,
            effect=effect,
            json_body=body,
            headers={"Authorization": f"Bearer {token}"},
            reference=reference,
        )

    async def _valid_token(self, *, refused: str | None = None) -> str:
        """The token; minted, by one caller at a time, if there is none, it is ending or it was just refused."""
        async with self._minting:
            if self._token is None or self._token == refused or time.monotonic() >= self._token_until:
                await self._mint()
            assert self._token is not None
            return self._token

    async def _mint(self) -> None:
        """Call under the lock. A failure here means that nothing was sent: NotAllowed, Throttled or Transient."""
        self._token = None
        pair = f"{self._credentials.consumer_key}:{self._credentials.consumer_secret}"
        answer = await self._http.call(
            "token",
            "GET",
            TOKEN_PATH,
            effect="read",
            params={"grant_type": "client_credentials"},
            headers={"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"},
            secret_answer=True,
        )
        token = text_of(answer.object.get("access_token"))
        if answer.status != 200 or not token:
            raise error_of_token(answer.status, answer.json, not answer.text.strip(), answer.headers)
        # A number on the new page, a text in the old one (daraja.md 1).
        life = text_of(answer.object.get("expires_in"))
        seconds = int(life) if life.isdigit() else _DEFAULT_LIFE
        self._token = token
        self._token_until = time.monotonic() + seconds - _REFRESH_EARLY
