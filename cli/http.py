"""The API as the commands use it: JSON in and out, problem documents as plain words."""

import secrets
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

import httpx

from cli.errors import Failure

_TIMEOUT_SECONDS: Final = 60.0  # longer than the longest `?wait=`
# "This key asks too often" is waited out, since nothing was done.
_POLITE_REPEATS: Final = 10
_LONGEST_PAUSE_SECONDS: Final = 5.0
_OF_THE_PROBLEM: Final = ("code", "detail", "sentence")


class ApiClient:
    """One address and one key. Every method raises Failure with the problem's own words."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self._http = httpx.Client(
            base_url=f"{url}/api/v1",
            headers={"Authorization": f"Bearer {key}", "User-Agent": "kivuko-cli"},
            timeout=_TIMEOUT_SECONDS,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        return self._call("GET", path, params={name: value for name, value in params.items() if value is not None})

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """`key` is the `Idempotency-Key`; without one each call is a new request."""
        headers = {"Idempotency-Key": key or f"cli-{secrets.token_hex(12)}"}
        return self._call("POST", path, json={} if body is None else body, headers=headers)

    def post_csv(self, path: str, text: str) -> Any:
        """A file, as a new request."""
        headers = {"Idempotency-Key": f"cli-{secrets.token_hex(12)}", "Content-Type": "text/csv; charset=utf-8"}
        return self._call("POST", path, content=text.encode(), headers=headers)

    def text(self, path: str, **params: Any) -> str:
        """An answer that is no JSON: a file."""
        return self._file(path, params).text

    def content(self, path: str, **params: Any) -> bytes:
        """A file that is no text."""
        return self._file(path, params).content

    def _file(self, path: str, params: dict[str, Any]) -> httpx.Response:
        given = {name: value for name, value in params.items() if value is not None}
        return self._answered("GET", path, {"params": given})

    def put(self, path: str, body: Any) -> Any:
        return self._call("PUT", path, json=body)

    def patch(self, path: str, body: Any) -> Any:
        return self._call("PATCH", path, json=body)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every row of a list, page after page."""
        cursor: str | None = None
        while True:
            answer = self.get(path, cursor=cursor, **params)
            yield from answer["items"]
            cursor = answer.get("next_cursor")
            if not cursor:
                return

    def _call(self, method: str, path: str, **request: Any) -> Any:
        answer = self._answered(method, path, request)
        return answer.json() if answer.content else None

    def _answered(self, method: str, path: str, request: dict[str, Any]) -> httpx.Response:
        answer = self._send(method, path, request)
        for _ in range(_POLITE_REPEATS):
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
            time.sleep(min(float(answer.headers.get("Retry-After", 1)), _LONGEST_PAUSE_SECONDS))
            answer = self._send(method, path, request)
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise refusal(answer)
        return answer

    def _send(self, method: str, path: str, request: dict[str, Any]) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx.ConnectError:
            raise Failure(
                f"The API does not answer at {self.url}. Is `kivuko up` running?", code="not_reached"
            ) from None
        except httpx.TimeoutException:
            raise Failure(f"The API at {self.url} took too long to answer.", code="timeout") from None


def refusal(answer: httpx.Response) -> Failure:
    """A problem document (RFC 9457) as a sentence; the fields to blame come with it."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        return Failure(f"The API answered {answer.status_code} without saying why.", code="http_error")
    sentence = str(problem.get("detail") or problem.get("title") or f"The API answered {answer.status_code}.")
    extra: dict[str, Any] = dict(problem.get("facts") or {})
    if "instance" in problem:
        extra["instance"] = problem["instance"]
    for error in problem.get("errors") or []:
        field = error["field"]
        # A one-time code's field is called as the problem's own code is.
        extra[f"field {field}" if field in _OF_THE_PROBLEM else field] = f"{error['detail']} ({error['rule']})"
    return Failure(sentence, code=str(problem.get("code") or f"http_{answer.status_code}"), **extra)


def poll(seconds: float, every: float = 0.3) -> Iterator[None]:
    """Once, and again every so often until the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        yield
        if time.monotonic() >= deadline:
            return
        time.sleep(every)
