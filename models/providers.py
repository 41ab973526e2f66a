"""Every outside system that a partner connects us with, as data: the one list from which connections, queues, claims,
look-ups and commands derive theirs.

A new one is one entry here and its parts, found by its name: `models/messages/connections/<name>.py` (its settings),
`activities/clients/opening/<name>.py` (its client and rails), `inbound/<name>.py` (its messages). Imports nothing heavy, so
that the command line may read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from models.messages.connections.reach import ConnectionSettings


@dataclass(frozen=True, slots=True)
class Watch:
    """What a schedule does for each connection: polls, or pulls what an announcement should have told."""

    name: str  # what the schedule's id begins with
    workflow: str
    every: timedelta


@dataclass(frozen=True, slots=True)
class Provider:
    """One kind of outside system, and what may be done through it. One that `pays` or `prompts` is a rail."""

    name: str
    word: str  # what people call it in "the … connection"
    title: str  # as the subject of a sentence
    queue: str  # the word for the task queue that serves it (temporal/queues.py)
    settings: str  # the class of its settings in models/messages/connections/<name>.py
    pays: bool = False  # money goes out by it
    prompts: bool = False  # payers can be prompted, as far as the connection has what that needs
    claims: tuple[str, ...] = ()  # the kinds of things that its connections claim once in the world (core/outside.py)
    # Partners may prove connections of their own where the platform has vetted the server; else it alone gives them.
    partners_prove: bool = False
    # Where it calls us under the connection's secret address: the place under /cb, and what comes at which end of it.
    calls_at: str | None = None
    calls: tuple[tuple[str, str], ...] = ()
    # What comes there is evidence of money for the partner's own account, so the address is the platform's secret.
    tells_of_money: bool = False
    # Where callbacks to a payment's own signed address come in, under /cb; Daraja's stand at the root, for it refuses
    # addresses that hold certain words (daraja.md, fact 11).
    callbacks: str = ""
    watch: Watch | None = None
    one_receipt: bool = True  # a movement has one id, whichever channel tells of it

    @property
    def is_rail(self) -> bool:
        return self.pays or self.prompts

    @property
    def settings_class(self) -> "type[ConnectionSettings]":
        module = import_module(f"models.messages.connections.{self.name}")
        found: type[ConnectionSettings] = getattr(module, self.settings)
        return found


PROVIDERS: Final = (
    Provider(
        name="fineract", word="Fineract", title="Fineract", queue="fineract", settings="FineractSettings",
        claims=("fineract_tenant", "fineract_identity"), partners_prove=True, calls_at="hooks", calls=(("hook", "/"),),
        watch=Watch("loan-watch", "LoanWatch", timedelta(minutes=5)),
    ),
    Provider(
        name="daraja", word="M-Pesa", title="M-Pesa", queue="mpesa", settings="DarajaSettings", pays=True, prompts=True,
        claims=("mpesa_shortcode",), partners_prove=True, calls_at="in", calls=(("confirm", "/confirm"), ("check", "/check")),
        tells_of_money=True, watch=Watch("payment-pull", "PaymentPull", timedelta(hours=1)),
    ),
    # A bank may give a movement one id in its answer and another in its push.
    Provider(
        name="bank", word="bank", title="the bank", queue="bank", settings="BankSettings", pays=True, prompts=True,
        claims=("bank_account",), calls_at="bank", calls=(("push", "/"),), tells_of_money=True, one_receipt=False,
        watch=Watch("bank-statement", "BankStatementPull", timedelta(hours=1)),
    ),
)  # fmt: skip

RAILS: Final = tuple(provider for provider in PROVIDERS if provider.is_rail)

_BY_NAME: Final = {provider.name: provider for provider in PROVIDERS}

if TYPE_CHECKING:
    ProviderName = str
    RailName = str
    VettableName = str
    ClaimKind = str
else:  # a closed list where input is checked, whose members are data
    ProviderName = Literal[tuple(provider.name for provider in PROVIDERS)]
    RailName = Literal[tuple(provider.name for provider in RAILS)]
    VettableName = Literal[tuple(provider.name for provider in PROVIDERS if provider.partners_prove)]
    ClaimKind = Literal[tuple(kind for provider in PROVIDERS for kind in provider.claims)]


def named(name: str) -> Provider:
    """Raises KeyError for a name that none has."""
    return _BY_NAME[name]


def of_claim(kind: str) -> Provider:
    """Whose connections claim this kind of thing. Raises LookupError."""
    return next(provider for provider in PROVIDERS if kind in provider.claims)


def settings_of(name: str, given: Mapping[str, Any]) -> "ConnectionSettings":
    """A connection's stored settings as an object of their class. Raises ValidationError (a ValueError)."""
    return _BY_NAME[name].settings_class.model_validate(given)
