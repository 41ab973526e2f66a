"""What Prometheus may know of the front door. One registry per application, so that tests can have several."""

from collections.abc import Callable
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CallbackOutcome = Literal[
    "stored", "copy", "garbled", "forged", "wrong_source", "noted", "not_noted", "accepted", "refused", "limited"
]
CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters by route template, never by path: a path may hold a secret, and would make a series per payment."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("kivuko_http_requests", "Requests answered", labels, registry=self.registry)
        self.seconds = Histogram(
            "kivuko_http_request_seconds", "Time to answer", labels[:2], buckets=_SECONDS, registry=self.registry
        )
        self.running = Gauge("kivuko_http_requests_running", "Requests under way", registry=self.registry)
        self.callbacks = Counter(
            "kivuko_callbacks", "Provider callbacks, by what became of them", ("kind", "outcome"),
            registry=self.registry,
        )  # fmt: skip

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)

    def callback(self, kind: str, outcome: CallbackOutcome) -> None:
        self.callbacks.labels(kind, outcome).inc()

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Serves these numbers at a port of their own; the answer ends that. Raises OSError if it is taken."""
        server, thread = start_http_server(port, host, self.registry)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop

    def text(self) -> bytes:
        return generate_latest(self.registry)
