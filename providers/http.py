"""The one HTTP client under every provider: it decides by *when* a call failed whether the effect may have happened.

    before anything was sent (name, connect, TLS)          NotReached   (Transient)
    anything later on a call that moves money              NoAnswer     (Unknown)
    anything later on a read                               NotReached   (Transient)

A status of 5xx, or an unreadable 2xx, is for the caller to sort with `unreadable()`, since some providers say "busy"
and "duplicate" through a 500. No retry lives here: httpx has none, and a repeated POST has paid customers twice
(SCARS: an HTTP library repeats a POST after a read timeout).
"""

import json
import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Self
from urllib.parse import quote, quote_plus

import httpx

from core.clock import utc_now
from core.errors import Garbled, KivukoError, NoAnswer, NotReached, Transient, Unknown
from providers.ports import Endpoint, Exchange, ExchangeRecorder, forget_exchange

# httpx logs every URL whole at INFO, and some vendors take their secret in the query (sms_email.md 1).
logging.getLogger("httpx").setLevel(logging.WARNING)

Effect = Literal["read", "money"]

# httpx raises these before a single byte of the request has left.
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)

_SECRET_WORDS = (
    "password", "securitycredential", "authorization", "apikey", "api_key", "token", "secret", "passkey",
    "payload url",  # a Fineract hook: its path is a secret
)  # fmt: skip
_PHONE_WORDS = ("partyb", "msisdn", "phone", "mobileno", "to", "phonenumber", "accountnumber", "number", "phonenumbers")
# Names of people are personal data too; message texts hold names and amounts.
_TEXT_WORDS = (
    "receiverpartypublicname", "creditpartyname", "debitpartyname", "displayname", "firstname", "middlename",
    "lastname", "fullname", "clientname", "sms", "message", "text",
)  # fmt: skip
_MAX_LOGGED = 16_000
# A server that hangs up on an idle connection as we send on it leaves us not knowing whether money moved, so a connection
# is not used again after less time than servers usually grant.
_IDLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: `json` is the decoded body (numbers as Decimal), or None if it is not JSON."""

    status: int
    text: str
    json: Any
    headers: Mapping[str, str]

    @property
    def object(self) -> dict[str, Any]:
        """The body as an object; empty if it is something else."""
        return self.json if isinstance(self.json, dict) else {}


class ProviderHttp:
    """httpx with our error rule, our timeouts and the exchange log. One per provider connection; close it."""

    def __init__(self, provider: str, endpoint: Endpoint, *, recorder: ExchangeRecorder = forget_exchange) -> None:
        self.provider = provider
        self._recorder = recorder
        verify: bool | ssl.SSLContext = endpoint.verify_tls
        if endpoint.ca_pem and endpoint.verify_tls:
            verify = ssl.create_default_context(cadata=endpoint.ca_pem)
        self._client = httpx.AsyncClient(
            base_url=endpoint.base_url.rstrip("/"),
            verify=verify,
            timeout=httpx.Timeout(
                endpoint.read_timeout.total_seconds(), connect=endpoint.connect_timeout.total_seconds()
            ),
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=_IDLE_SECONDS),
            follow_redirects=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._client.aclose()

    async def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        effect: Effect,
        json_body: Any = None,
        form: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        reference: str | None = None,
        secret_answer: bool = False,
    ) -> Answer:
        """One request, one answer of any status. `secret_answer` keeps the body out of the exchange log (tokens).

        Raises NotReached or NoAnswer as the module's table says.
        """
        started_at, started = utc_now(), time.perf_counter()
        sent = json_body if json_body is not None else dict(form or {})
        answer: Answer | None = None
        outcome = "ok"
        try:
            response = await self._client.request(
                method, path, json=json_body, data=form, params=params, headers=headers
            )
            answer = Answer(response.status_code, response.text, _decode(response.text), response.headers)
            if answer.status >= 400:
                outcome = f"http_{answer.status}"
            return answer
        except _NEVER_LEFT as error:
            outcome = NotReached.default_code
            raise NotReached(f"{self.provider} could not be reached ({type(error).__name__}).") from error
        except httpx.HTTPError as error:
            failure: KivukoError
            if effect == "money":
                failure = NoAnswer(f"{self.provider} did not answer {operation} ({type(error).__name__}).")
            else:
                failure = NotReached(f"{self.provider} did not answer {operation} ({type(error).__name__}).")
            outcome = failure.code
            raise failure from error
        except BaseException:
            outcome = "cancelled"
            raise
        finally:
            logged: Any = "•"
            if not secret_answer:
                # A page that is not the vendor's often quotes our request, so what was hidden there is hidden here.
                body = None if answer is None else sanitise(answer.json) if answer.json is not None else answer.text
                logged = strike(body, hidden_in(sent, params, headers))
                if isinstance(logged, str):
                    logged = logged[:500]
            await self._recorder(
                Exchange(
                    provider=self.provider,
                    operation=operation,
                    method=method,
                    url=path.partition("?")[0],
                    request=sanitise({**sent, **dict(params or {})} if isinstance(sent, dict) else sent),
                    response=logged,
                    status_code=answer.status if answer else None,
                    outcome=outcome,
                    duration_ms=round((time.perf_counter() - started) * 1000),
                    started_at=started_at,
                    reference=reference,
                )
            )


def unreadable(provider: str, operation: str, answer: Answer, effect: Effect) -> Unknown | Transient:
    """The error for an answer that says nothing usable: Unknown if money may have moved, Transient on a read."""
    detail = f"{provider} answered {operation} with HTTP {answer.status} and nothing that can be read."
    return Garbled(detail) if effect == "money" else Transient(detail, code="garbled_read")


def sanitise(value: Any, key: str = "") -> Any:
    """A copy fit for the log: secrets gone, phone numbers and names masked, decimals as text, size bounded."""
    word = key.lower().replace("_", "").replace("-", "")
    if any(secret.replace("_", "") in word for secret in _SECRET_WORDS) and value is not None:
        return "•••"
    if isinstance(value, dict):
        # Daraja's parameter lists are [{"Key": …, "Value": …}]: the name sits beside the value.
        named = str(value.get("Key") or value.get("Name") or "")
        return {k: sanitise(v, named if k == "Value" and named else str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [sanitise(item, key) for item in value[:200]]
    if isinstance(value, Decimal):
        value = str(value)
    if word in _PHONE_WORDS and value is not None:
        text = str(value)
        return f"{text[:5]}•••{text[-3:]}" if len(text) > 8 else "•••"
    if word in _TEXT_WORDS and value:
        return "•••"
    if isinstance(value, str):
        return value[:_MAX_LOGGED]
    return value


def hidden_in(*sources: Any) -> set[str]:
    """The texts of flat requests that `sanitise` does not show whole, also as a URL spells them."""
    hidden: set[str] = set()
    for source in sources:
        for key, value in source.items() if isinstance(source, Mapping) else ():
            # Very short texts ("1") would strike half the answer and hide nothing.
            if isinstance(value, str) and len(value) >= 4 and sanitise(value, key) not in (value, value[:_MAX_LOGGED]):
                hidden |= {value, quote(value, safe=""), quote_plus(value)}
                if key.lower() == "authorization":
                    hidden.add(value.rpartition(" ")[2])  # the token without its scheme
    return hidden


def strike(value: Any, hidden: set[str]) -> Any:
    """A copy without the hidden texts."""
    if isinstance(value, dict):
        return {key: strike(item, hidden) for key, item in value.items()}
    if isinstance(value, list):
        return [strike(item, hidden) for item in value]
    if isinstance(value, str):
        for text in sorted(hidden, key=len, reverse=True):
            value = value.replace(text, "•••")
    return value


def _decode(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
