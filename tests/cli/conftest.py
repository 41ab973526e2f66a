"""A command line in an empty folder, as on a machine where Kivuko was never started."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from core.settings import get_settings

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a command in an empty folder: `run("db", "url")`."""
    for name in ("KIVUKO_KEY", "KIVUKO_URL", "KIVUKO_DATABASE__URL", "KIVUKO_DATA_DIR", "TEMPORAL_ADDRESS", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KIVUKO_TEMPORAL__PORT", "1")  # nothing listens there, and nobody's real stack is touched
    monkeypatch.setenv("KIVUKO_API__PORT", "1")
    get_settings.cache_clear()

    def invoke(*words: str, **given: Any) -> Result:
        get_settings.cache_clear()
        return CliRunner().invoke(app, list(words), **given)

    yield invoke
    get_settings.cache_clear()


@dataclass
class Answering:
    """A server that answers every request with the next of `answers` (status, body, headers) and remembers them."""

    url: str
    answers: list[tuple[int, Any, dict[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, str, Any, dict[str, str]]] = field(default_factory=list)

    def will(self, status: int, body: Any, **headers: str) -> None:
        self.answers.append((status, body, headers))


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    """An API that says what the test wants, over real HTTP; the command line speaks to it with the key `kvk_a_b`."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            is_file = self.headers.get("Content-Type", "").startswith("text/csv")
            body = raw.decode() if is_file else json.loads(raw) if length else None
            here.asked.append((self.command, self.path, body, dict(self.headers)))
            status, answer, headers = here.answers.pop(0)
            payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(payload)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        here = Answering(f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("KIVUKO_URL", here.url)
        monkeypatch.setenv("KIVUKO_KEY", "kvk_a_b")
        try:
            yield here
        finally:
            server.shutdown()
            thread.join()
