"""The addresses that we give to providers; the path says what comes, the signed token to whom."""

from dataclasses import dataclass

from core.crypto import CallbackRoute, CallbackSigner


@dataclass(frozen=True)
class CallbackUrls:
    base_url: str
    signer: CallbackSigner

    def result(self, route: CallbackRoute) -> str:
        return f"{self.base_url}/cb/{self.signer.sign(route)}/out"

    def timeout(self, route: CallbackRoute) -> str:
        return f"{self.base_url}/cb/{self.signer.sign(route)}/out-late"

    def status(self, route: CallbackRoute) -> str:
        return f"{self.base_url}/cb/{self.signer.sign(route)}/ask"

    def prompt(self, route: CallbackRoute) -> str:
        return f"{self.base_url}/cb/{self.signer.sign(route)}/in"

    def balance(self, route: CallbackRoute) -> str:
        return f"{self.base_url}/cb/{self.signer.sign(route)}/level"
