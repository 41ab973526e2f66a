"""One connection to one tenant: the headers of every call, and the rule for reads."""

from collections.abc import Mapping
from typing import Any

from providers.fineract.refusals import PROVIDER, read_error
from providers.fineract.wire import FineractCredentials
from providers.http import Answer, Effect, ProviderHttp, unreadable
from providers.ports import Endpoint, ExchangeRecorder


class FineractConnection:
    """`endpoint.base_url` is `https://host/fineract-provider/api`; paths here begin with /v1."""

    def __init__(self, endpoint: Endpoint, credentials: FineractCredentials, recorder: ExchangeRecorder) -> None:
        self.credentials = credentials
        self._http = ProviderHttp(PROVIDER, endpoint, recorder=recorder)

    async def close(self) -> None:
        await self._http.close()

    async def read(
        self, operation: str, path: str, params: Mapping[str, Any] | None = None, *, secret_answer: bool = False
    ) -> Any:
        """The JSON of a GET. Raises NotAllowed, NotFound or Transient, never Unknown: a read changes nothing."""
        return self.understood(operation, await self.get(operation, path, params, secret_answer=secret_answer))

    async def get(
        self, operation: str, path: str, params: Mapping[str, Any] | None = None, *, secret_answer: bool = False
    ) -> Answer:
        """A GET with an answer of any status. Raises NotReached."""
        return await self._http.call(
            operation,
            "GET",
            path,
            effect="read",
            params=params,
            headers=self.credentials.headers(),
            secret_answer=secret_answer,
        )

    async def send(
        self,
        operation: str,
        path: str,
        body: Mapping[str, Any],
        *,
        effect: Effect,
        method: str = "POST",
        params: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        reference: str | None = None,
        secret_answer: bool = False,
    ) -> Answer:
        """A POST or PUT with an answer of any status. One attempt; raises NotReached or NoAnswer."""
        headers = self.credentials.headers()
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return await self._http.call(
            operation,
            method,
            path,
            effect=effect,
            json_body=dict(body),
            params=params,
            headers=headers,
            reference=reference,
            secret_answer=secret_answer,
        )

    @staticmethod
    def understood(operation: str, answer: Answer) -> Any:
        """The JSON of a success; raises as `read` does for anything else."""
        if not 200 <= answer.status < 300:
            raise read_error(operation, answer)
        if answer.json is None:
            raise unreadable(PROVIDER, operation, answer, "read")
        return answer.json
