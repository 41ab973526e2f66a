"""NCBA's two gateways: tokens, calls under a token, and what their own refusals prove (bank_ncba.md 1 and 3).

A gateway that refuses a request before the product saw it has moved nothing. That is believed for 401 and 429, and for
403 and 404 in the gateway's own JSON (`{"statusCode": 403, "message": …}`); a firewall's page says nothing about money.
"""

import asyncio
import base64
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from core.errors import Busy, KivukoError, NotAllowed, Throttled, Transient
from providers.held import held
from providers.http import Answer, Effect, ProviderHttp
from providers.ncba.codes import text_of
from providers.ncba.requests import TILL_TOKEN_PATH, TOKEN_PATH, NcbaCredentials
from providers.ports import Exchange, ExchangeRecorder

# No lifetime is documented; users keep a token for 15 to 25 minutes and mint another on a 401.
_OPEN_BANKING_LIFE: Final = 15 * 60
_TILL_LIFE: Final = 18_000
_REFRESH_EARLY: Final = 60
_PERSONAL: Final = frozenset(
    {"telephoneno", "reqmobilenumber", "mobilenumber", "phonenr", "beneficiaryaccountname", "beneficiaryname",
     "customername"}
)  # fmt: skip
_PHONE_IN_TEXT: Final = re.compile(r"(?<![0-9A-Za-z])\+?254[0-9]{9}(?![0-9A-Za-z])")


@dataclass(frozen=True, slots=True)
class Token:
    """What goes into `Authorization`, and for how many seconds we use it."""

    authorization: str
    seconds: int


class Session:
    """Calls under a token, which is minted when needed by one caller at a time and once more when it is refused."""

    def __init__(self, http: ProviderHttp, headers: Mapping[str, str], mint: Callable[[], Awaitable[Token]]) -> None:
        self._http = http
        self._headers = dict(headers)
        self._mint = mint
        self._token: Token | None = None
        self._until = 0.0
        self._minting = asyncio.Lock()

    async def close(self) -> None:
        await self._http.close()

    async def renew(self) -> None:
        """Mints a token. Raises NotAllowed, Throttled or Transient; nothing else has been sent then."""
        async with self._minting:
            await self._renew()

    async def call(
        self,
        operation: str,
        path: str,
        body: Mapping[str, str],
        effect: Effect,
        *,
        reference: str | None = None,
        secret_answer: bool = False,
        not_after: datetime | None = None,
    ) -> Answer:
        """One POST; sent again, unchanged, if the gateway refused the token itself.

        Raises NotReached and NoAnswer as `providers/http.py` says, and what `refusal` makes of the answer, held back where
        money was to move.
        """
        token = await self._token_for(effect)
        for fresh in (False, True):
            answer = await self._http.call(
                operation,
                "POST",
                path,
                effect=effect,
                json_body=dict(body),
                headers={**self._headers, "Authorization": token.authorization},
                reference=reference,
                secret_answer=secret_answer,
                not_after=not_after,
            )
            if answer.status == 401 and not fresh and not _is_key_problem(answer):
                token = await self._token_for(effect, refused=token)
                continue
            break
        if error := refusal(operation, answer):
            raise held(error) if effect == "money" and isinstance(error, NotAllowed) else error
        if effect == "read" and answer.status == 404 and not answer.text.strip():
            raise NotAllowed("NCBA is not at this address.", code="wrong_address", operation=operation)
        return answer

    async def _token_for(self, effect: Effect, *, refused: Token | None = None) -> Token:
        """Refused credentials are no verdict on the money that was to move: it has not left, and waits for a person."""
        try:
            return await self._valid_token(refused=refused)
        except NotAllowed as error:
            raise held(error) if effect == "money" else error from None

    async def _valid_token(self, *, refused: Token | None = None) -> Token:
        async with self._minting:
            if self._token is None or self._token == refused or time.monotonic() >= self._until:
                await self._renew()
            assert self._token is not None
            return self._token

    async def _renew(self) -> None:
        self._token = None
        token = await self._mint()
        self._token = token
        self._until = time.monotonic() + token.seconds


async def open_banking_token(http: ProviderHttp, credentials: NcbaCredentials) -> Token:
    """Two reply shapes are reported: `{accessToken, tokenType}` and `{tokenID}`; both are read."""
    answer = await http.call(
        "token",
        "POST",
        TOKEN_PATH,
        effect="read",
        json_body={"userID": credentials.user_id, "password": credentials.password},
        headers=open_banking_headers(credentials),
        secret_answer=True,
    )
    body = answer.object
    parts = (body, body["data"] if isinstance(body.get("data"), dict) else {})
    names = ("accessToken", "tokenID", "access_token", "token")
    token = next((text for part in parts for name in names if (text := text_of(part.get(name)))), "")
    if answer.status != 200 or not token:
        raise _no_token(answer)
    scheme = next((text for part in parts if (text := text_of(part.get("tokenType")))), "Bearer")
    return Token(f"{scheme} {token}", _OPEN_BANKING_LIFE)


async def till_token(http: ProviderHttp, credentials: NcbaCredentials) -> Token:
    pair = f"{credentials.till_username}:{credentials.till_password}"
    answer = await http.call(
        "till.token",
        "GET",
        TILL_TOKEN_PATH,
        effect="read",
        headers={
            "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
            "User-Agent": credentials.user_agent,
        },
        secret_answer=True,
    )
    token = text_of(answer.object.get("access_token"))
    if answer.status != 200 or not token:
        raise _no_token(answer)
    life = text_of(answer.object.get("expires_in"))
    seconds = int(life) if life.isdecimal() and len(life) < 9 else _TILL_LIFE
    return Token(f"Bearer {token}", max(seconds - _REFRESH_EARLY, 0))


def open_banking_headers(credentials: NcbaCredentials) -> dict[str, str]:
    return {"Ocp-Apim-Subscription-Key": credentials.subscription_key, "User-Agent": credentials.user_agent}


def refusal(operation: str, answer: Answer) -> KivukoError | None:
    """The error of an answer by which the gateway shows that the product never saw the request; else None."""
    message = text_of(answer.object.get("message")).lower()
    own = text_of(answer.object.get("statusCode")) == str(answer.status) and bool(message)
    facts = {"http_status": str(answer.status), "operation": operation}
    if answer.status == 429 or (own and answer.status == 403 and "quota" in message):
        return Throttled("NCBA asks us to slow down.", retry_after=_retry_after(answer.headers), **facts)
    if answer.status == 401:
        if _is_key_problem(answer):
            return NotAllowed("NCBA refuses the subscription key.", code="not_entitled", **facts)
        # Another process may have minted a newer token a moment ago, so it is worth another try.
        return Busy("NCBA refused a fresh access token.", code="token_refused", **facts)
    if own and answer.status == 403:
        return NotAllowed("NCBA does not allow this call for our subscription.", code="not_entitled", **facts)
    if own and answer.status == 404:
        return NotAllowed("NCBA's gateway knows no such path below the base URL.", code="wrong_address", **facts)
    return None


def private_log(recorder: ExchangeRecorder) -> ExchangeRecorder:
    """The recorder behind a filter that masks phone numbers and names of people in NCBA's own fields."""

    async def record(exchange: Exchange) -> None:
        await recorder(replace(exchange, request=_scrub(exchange.request), response=_scrub(exchange.response)))

    return record


def _no_token(answer: Answer) -> KivukoError:
    """A refused token: nothing else has been sent."""
    facts = {"http_status": str(answer.status)}
    if answer.status == 404 and not answer.text.strip():
        return NotAllowed("NCBA is not at this address.", code="wrong_address", **facts)
    if answer.status == 429:
        return Throttled("NCBA throttles token requests.", retry_after=_retry_after(answer.headers))
    if answer.status in (400, 401, 403) and (isinstance(answer.json, dict) or not answer.text.strip()):
        return NotAllowed("NCBA refuses the user, the password or the key.", code="bad_credentials", **facts)
    if answer.status == 403:
        # A page, not an answer: our address is not on the allow-list yet, or the user agent displeases (bank_ncba.md 1).
        return Transient("NCBA's firewall turned us away.", code="blocked_by_firewall", **facts)
    return Transient(f"NCBA gave no access token (HTTP {answer.status}).", code="no_token", **facts)


def _is_key_problem(answer: Answer) -> bool:
    return "subscription" in text_of(answer.object.get("message")).lower()


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    value = headers.get("retry-after", "")
    return timedelta(seconds=int(value)) if value.isdecimal() and len(value) < 6 else None


def _scrub(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _scrub(item, str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_scrub(item, key) for item in value]
    if key.lower() in _PERSONAL and value:
        return "•••"
    return _PHONE_IN_TEXT.sub("•••", value) if isinstance(value, str) else value
