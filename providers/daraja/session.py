"""What all calls of one Daraja connection share: one access token, and its one renewal when the gateway refuses it."""

import asyncio
import base64
import time
from dataclasses import replace
from datetime import datetime
from typing import Final, Self

from core.errors import Garbled, NotAllowed, Transient
from providers.daraja.fields import Fields
from providers.daraja.gateway import Ack, error_of, error_of_token, is_token_error, parse_ack
from providers.daraja.inbox import scrub
from providers.daraja.requests import TOKEN_PATH, DarajaCredentials, security_credential
from providers.held import held
from providers.http import Answer, Effect, ProviderHttp
from providers.ports import Endpoint, Exchange, ExchangeRecorder, forget_exchange

_REFRESH_EARLY: Final = 60.0  # seconds before a token's end at which we stop using it
_DEFAULT_LIFE: Final = 3599


class DarajaSession:
    """The token and the calls under it. Close it."""

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

    async def check(self) -> None:
        """Tries the certificate and mints a token. The initiator's password can only be tried by a real query.

        Raises InvalidRequest for an unusable certificate, NotAllowed for a refused key, Transient otherwise.
        """
        security_credential(self._credentials)
        async with self._minting:
            await self._mint()

    async def _acknowledged(
        self,
        operation: str,
        path: str,
        body: dict[str, str],
        effect: Effect,
        *,
        reference: str | None = None,
        same_reference_is_safe: bool = False,
        not_after: datetime | None = None,
    ) -> Ack:
        """One request that M-Pesa queues. Raises what `error_of` makes of any answer but an acknowledgement."""
        answer = await self._answer(operation, path, body, effect, reference=reference, not_after=not_after)
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
            same_reference_is_safe=same_reference_is_safe,
            empty=not answer.text.strip(),
        )

    async def _answer(
        self,
        operation: str,
        path: str,
        body: dict[str, str],
        effect: Effect,
        *,
        reference: str | None = None,
        not_after: datetime | None = None,
    ) -> Answer:
        """One request under a valid token; resent once, unchanged, if the gateway refused the token itself, which it
        does before M-Pesa sees the request (daraja.md 1)."""
        token = await self._token_for(effect)
        answer = await self._post(operation, path, body, effect, token, reference, not_after)
        if is_token_error(answer.status, answer.json):
            token = await self._token_for(effect, refused=token)
            answer = await self._post(operation, path, body, effect, token, reference, not_after)
        return answer

    async def _token_for(self, effect: Effect, *, refused: str | None = None) -> str:
        """Refused credentials are no verdict on the money that was to move: it has not left, and waits for a person."""
        try:
            return await self._valid_token(refused=refused)
        except NotAllowed as error:
            raise held(error) if effect == "money" else error from None

    async def _post(
        self,
        operation: str,
        path: str,
        body: dict[str, str],
        effect: Effect,
        token: str,
        reference: str | None,
        not_after: datetime | None,
    ) -> Answer:
        return await self._http.call(
            operation,
            "POST",
            path,
            effect=effect,
            json_body=body,
            headers={"Authorization": f"Bearer {token}"},
            reference=reference,
            not_after=not_after,
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
        said = Fields(answer.json)
        token = said.text("access_token")
        if answer.status != 200 or not token:
            raise error_of_token(answer.status, answer.json, not answer.text.strip(), answer.headers)
        # A number on the new page, a text in the old one (daraja.md 1).
        life = said.text("expires_in")
        seconds = int(life) if life.isdecimal() and len(life) < 9 else _DEFAULT_LIFE
        self._token = token
        self._token_until = time.monotonic() + seconds - _REFRESH_EARLY
