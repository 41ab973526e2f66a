"""The addresses that we give to providers; the path says what comes, the signed token to whom."""

from dataclasses import dataclass, replace

from core.crypto import CallbackRoute, CallbackSigner
from models import providers


@dataclass(frozen=True)
class CallbackUrls:
    """`place` is where under /cb a provider's callbacks come in (models/providers.py)."""

    base_url: str
    signer: CallbackSigner
    place: str = ""

    def of(self, provider: str) -> "CallbackUrls":
        """Those for payments by this provider."""
        return replace(self, place=providers.named(provider).callbacks)

    def result(self, route: CallbackRoute) -> str:
        return self._url(route, "out")

    def timeout(self, route: CallbackRoute) -> str:
        return self._url(route, "out-late")

    def status(self, route: CallbackRoute) -> str:
        return self._url(route, "ask")

    def prompt(self, route: CallbackRoute) -> str:
        return self._url(route, "in")

    def balance(self, route: CallbackRoute) -> str:
        return self._url(route, "level")

    def _url(self, route: CallbackRoute, what: str) -> str:
        return "/".join(filter(None, (self.base_url, "cb", self.place, self.signer.sign(route), what)))
