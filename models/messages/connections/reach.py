"""What the settings of every kind of connection have."""

from pydantic import Field

from core.outside import OutsideKey
from models.messages.base import Message


class Trust(Message):
    """Which certificate we accept. `ca_pem` replaces the public roots; `verify_tls` off is for a lab alone."""

    ca_pem: str | None = None
    verify_tls: bool = True


class Patience(Message):
    """How long one call may take; less than the activity's own limit, which is 75 s for a payout."""

    connect_seconds: float = Field(default=5, gt=0, le=20)
    read_seconds: float = Field(default=30, gt=0, le=50)


class ConnectionSettings(Message):
    """Where an outside system is, and what of the world a connection to it names."""

    base_url: str
    trust: Trust = Trust()
    patience: Patience = Patience()

    def addresses(self) -> dict[str, str]:
        """The addresses that whoever gave the connection chose, by the field that holds each."""
        return {"base_url": self.base_url}

    def claims(self) -> tuple[OutsideKey, ...]:
        """What it names that one partner at most may have; first the one that its credentials prove."""
        return ()

    def currency_of_accounts(self) -> str | None:
        """That of our accounts there; None where the system is told no currency."""
        return None

    def account_claim(self, account: str) -> OutsideKey | None:
        """The claim to the account of ours on which a payment came in; None where such accounts are not claimed."""
        return None
