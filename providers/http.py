"""The one HTTP client under every provider: it decides by *when* a call failed whether the effect may have happened.

    before the first byte of the request left              NotReached   (Transient)
    anything later on a call that moves money              NoAnswer     (Unknown)
    anything later on a read                               NotReached   (Transient)

A status of 5xx, or an unreadable 2xx, is for the caller to sort with `unreadable()`, since some providers say "busy"
and "duplicate" through a 500. No retry lives here: httpx has none, and a repeated POST has paid customers twice
(SCARS: an HTTP library repeats a POST after a read timeout).

Which addresses are dialled is `providers/dialling.py`'s; what an answer may cost is bounded here: its bytes after
decompression, and the time of the whole call, also for a server that drips. An error tells the caller nothing of the
network but its kind; why it came is in our own log.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, Self

import httpx
import structlog

from core.bounded_json import ANSWER, Unreadable, read_json
from core.clock import utc_now
from core.errors import Garbled, InvalidRequest, KivukoError, NoAnswer, NotReached, Transient, Unknown
from providers.bounded import AnswerTooLarge, read_text
from providers.dialling import REFUSED_CODE, REFUSED_TEXT, AddressRefused, GuardedTransport, Handover, TooLate, handover
from providers.logged import hidden_in, of_answer, sanitise, strike
from providers.ports import Endpoint, Exchange, ExchangeRecorder, forget_exchange

# httpx logs every URL whole at INFO, and some vendors take their secret in the query (sms_email.md 1).
logging.getLogger("httpx").setLevel(logging.WARNING)
log = structlog.get_logger()

Effect = Literal["read", "money"]

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
    """httpx with our error rule, our bounds, the guarded dialler and the exchange log. One per provider connection; close
    it."""

    def __init__(self, provider: str, endpoint: Endpoint, *, recorder: ExchangeRecorder = forget_exchange) -> None:
        """Raises InvalidRequest for an address that is none."""
        self.provider = provider
        self._recorder = recorder
        self._rules = endpoint.rules
        # Connecting and the longest silence that is granted, once each.
        self._whole_call = (endpoint.connect_timeout + endpoint.read_timeout).total_seconds()
        try:
            base_url = httpx.URL(endpoint.base_url.rstrip("/"))
        except httpx.InvalidURL:
            raise InvalidRequest(REFUSED_TEXT, code=REFUSED_CODE, field="base_url") from None
        self._client = httpx.AsyncClient(
            base_url=base_url,
            transport=GuardedTransport(endpoint.rules, tls=_tls(endpoint), idle_seconds=_IDLE_SECONDS),
            timeout=httpx.Timeout(
                endpoint.read_timeout.total_seconds(), connect=endpoint.connect_timeout.total_seconds()
            ),
            headers={"Accept-Encoding": "gzip"},
            follow_redirects=False,
            trust_env=False,
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
        not_after: datetime | None = None,
    ) -> Answer:
        """One request, one answer of any status. `secret_answer` keeps the body out of the exchange log (tokens).

        Raises NotReached or NoAnswer as the module's table says; NotReached with the code "too_late" if `not_after` has
        passed when the first byte would leave, "address_refused" if the address may not be called; for an answer that is
        too large Garbled where money may have moved, else Transient.
        """
        started_at, started = utc_now(), time.perf_counter()
        sent = json_body if json_body is not None else dict(form or {})
        answer: Answer | None = None
        outcome = "ok"
        request = Handover(not_after)
        token = handover.set(request)
        try:
            async with asyncio.timeout(self._whole_call):
                built = self._client.build_request(
                    method, path, json=json_body, data=form, params=params, headers=headers
                )
                response = await self._client.send(built, stream=True)
                try:
                    text = await read_text(response, self._rules.most_bytes)
                finally:
                    await response.aclose()
            answer = Answer(response.status_code, text, _value(text), response.headers)
            if answer.status >= 400:
                outcome = f"http_{answer.status}"
            return answer
        except (httpx.HTTPError, TimeoutError, AddressRefused, TooLate, AnswerTooLarge, ssl.SSLError, OSError) as error:
            failure = self._failure(operation, effect, request.begun, error)
            outcome = failure.code
            log.warning(
                "provider_call_failed", provider=self.provider, operation=operation, code=failure.code,
                begun=request.begun, error=type(error).__name__,
            )  # fmt: skip
            raise failure from error
        except BaseException:
            outcome = "cancelled"
            raise
        finally:
            handover.reset(token)
            logged: Any = "•"
            if not secret_answer:
                # A page that is not the vendor's often quotes our request, so what was hidden there is hidden here.
                logged = None if answer is None else of_answer(self.provider, answer.text, answer.json, self._rules)
                logged = strike(logged, hidden_in(sent, params, headers))
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

    def _failure(self, operation: str, effect: Effect, begun: bool, error: Exception) -> KivukoError:
        if isinstance(error, AddressRefused):
            return NotReached(REFUSED_TEXT, code=REFUSED_CODE)
        if isinstance(error, TooLate):
            return NotReached("The time in which this might be sent is over; nothing was sent.", code="too_late")
        if isinstance(error, AnswerTooLarge):
            detail = f"{self.provider} answered {operation} with more than we read."
            if effect == "money":
                return Garbled(detail, code="answer_too_large")
            return Transient(detail, code="answer_too_large")
        if not begun:
            return NotReached(f"{self.provider} could not be reached.")
        detail = f"{self.provider} did not answer {operation}."
        return NoAnswer(detail) if effect == "money" else NotReached(detail)


def _value(text: str) -> Any:
    try:
        return read_json(text, ANSWER)
    except Unreadable:
        return None


def unreadable(provider: str, operation: str, answer: Answer, effect: Effect) -> Unknown | Transient:
    """The error for an answer that says nothing usable: Unknown if money may have moved, Transient on a read."""
    detail = f"{provider} answered {operation} with HTTP {answer.status} and nothing that can be read."
    return Garbled(detail) if effect == "money" else Transient(detail, code="garbled_read")


def _tls(endpoint: Endpoint) -> ssl.SSLContext:
    if not endpoint.verify_tls:
        return httpx.create_ssl_context(verify=False, trust_env=False)
    if endpoint.ca_pem:
        return ssl.create_default_context(cadata=endpoint.ca_pem)
    return _known_authorities()


@cache
def _known_authorities() -> ssl.SSLContext:
    """One for all connections of a process, which no connection changes: reading the authorities takes 50 ms of processor
    time, and each connection to a provider has a client of its own."""
    return httpx.create_ssl_context(trust_env=False)
