"""Every kind of payment saga, as data: the one list from which sweeps, look-ups, scopes, links and commands derive theirs.

A new saga is one entry here and its leaf in every role, found by name: `store/<family>/<leaf>.py` and so on
(`SagaKind.module`). Imports nothing heavy, so that the command line may read it.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from models.tables.saga.saga_row import SagaRow

Verb = Literal["read", "write", "resolve"]
VERBS: Final[tuple[Verb, ...]] = ("read", "write", "resolve")


@dataclass(frozen=True, slots=True)
class SagaKind:
    """One kind of saga, and the names it has in each role."""

    name: str  # what its workflow ids begin with
    workflow: str  # the workflow type
    family: str  # the folder of its files in each role
    leaf: str  # the name of its file there
    row: str  # the class of its rows in models/tables/<family>/<leaf>.py
    id_prefix: str  # what its rows' ids begin with, before the underscore
    resource: str  # its place under /api/v1, and what its scopes begin with
    word: str  # what people call one of them
    about: str  # all of them, in a line of the API's document
    money: Literal["out", "in", "both"]  # whether it pays, is paid, or does each in turn
    providers: tuple[str, ...]  # whom it speaks with; the first one moves the money and gives the receipts
    partner_may_resolve: bool  # or the house alone decides: a partner would prove its own money
    resolved_by_two: bool  # every decision waits for a second person, or only some do
    # The rails whose announced payments it takes: one that names a waiting saga, and one that names none, for which a saga
    # is made. A rail's first kind gets those that name none.
    arrives_by: tuple[str, ...] = ()

    @property
    def rail(self) -> str:
        """The provider that moves its money."""
        return self.providers[0]

    @property
    def path(self) -> str:
        """Under /api/v1, such as "/top-ups"."""
        return f"/{self.resource}"

    @property
    def takes_money(self) -> bool:
        return self.money in ("in", "both")

    @property
    def row_class(self) -> "type[SagaRow]":
        return _row_class(self)

    def workflow_id(self, business_id: str) -> str:
        """Such as `wallet-top-up/top_…`."""
        return f"{self.name}/{business_id}"

    def scope(self, verb: Verb) -> str:
        """What a key needs for it, such as "top-ups:resolve"."""
        return f"{self.resource}:{verb}"

    def act(self, decision: str) -> str:
        """What others are asked to agree to, such as "top-ups.allocate"."""
        return f"{self.resource}.{decision}"

    @property
    def acts(self) -> str:
        """What its audit actions begin with: "float_purchases"."""
        return f"{self.word.replace(' ', '_').replace('-', '_')}s"

    def module(self, role: str) -> str:
        """Where its part in a role is, such as `store.lending.wallet_top_up`."""
        return f"{role}.{self.family}.{self.leaf}"


KINDS: Final = (
    SagaKind(
        name="loan-disbursement", workflow="LoanDisbursement", family="lending", leaf="loan_disbursement",
        row="Disbursement", id_prefix="dsb", resource="disbursements", word="disbursement",
        about="Loans on their way from approval to receipt", money="out",
        providers=("daraja", "fineract"), partner_may_resolve=True, resolved_by_two=False,
    ),
    SagaKind(
        name="customer-collection", workflow="CustomerCollection", family="lending", leaf="customer_collection",
        row="Collection", id_prefix="col", resource="collections", word="collection",
        about="Customers' payments on their way to the lender's accounts", money="in",
        providers=("daraja", "fineract"), partner_may_resolve=True, resolved_by_two=False, arrives_by=("daraja",),
    ),
    SagaKind(
        name="wallet-top-up", workflow="WalletTopUp", family="lending", leaf="wallet_top_up",
        row="TopUp", id_prefix="top", resource="top-ups", word="top-up",
        about="Money on its way into a wallet", money="in",
        providers=("bank",), partner_may_resolve=False, resolved_by_two=True, arrives_by=("bank",),
    ),
    SagaKind(
        name="float-purchase", workflow="FloatPurchase", family="lending", leaf="float_purchase",
        row="FloatPurchase", id_prefix="flt", resource="float-purchases", word="float purchase",
        about="M-Pesa float bought from a wallet, confirmed with a one-time code", money="out",
        providers=("bank",), partner_may_resolve=False, resolved_by_two=True,
    ),
)  # fmt: skip

PAYOUTS: Final = KINDS[0]  # whoever may read and decide these may read and decide what belongs to no saga

_BY_NAME: Final = {kind.name: kind for kind in KINDS}
_BY_RESOURCE: Final = {kind.resource: kind for kind in KINDS}
_BY_PREFIX: Final = {kind.id_prefix: kind for kind in KINDS}


def named(name: str) -> SagaKind:
    """Raises KeyError for a name that no kind has."""
    return _BY_NAME[name]


def at(resource: str) -> SagaKind:
    """The kind with this place in the API, such as "top-ups". Raises KeyError for a place of none."""
    return _BY_RESOURCE[resource]


def of_workflow(workflow_id: str) -> SagaKind | None:
    """None for a workflow that is no saga, such as a poll."""
    return _BY_NAME.get(workflow_id.partition("/")[0])


def of_id(row_id: str) -> SagaKind | None:
    """The kind of a row's id; None for another thing's."""
    return _BY_PREFIX.get(row_id.partition("_")[0])


def taking(provider: str) -> tuple[SagaKind, ...]:
    """The kinds that take payments announced by this rail, the one for those that name nobody first."""
    return tuple(kind for kind in KINDS if provider in kind.arrives_by)


def of_row(row: "SagaRow") -> SagaKind:
    """Raises LookupError for a row of a class that no kind has."""
    return _of_class(type(row))


@cache
def _of_class(model: "type[SagaRow]") -> SagaKind:
    for kind in KINDS:
        if kind.row_class is model:
            return kind
    raise LookupError(f"{model.__name__} is the row of no kind of saga")


@cache
def _row_class(kind: SagaKind) -> "type[SagaRow]":
    found: type[SagaRow] = getattr(import_module(kind.module("models.tables")), kind.row)
    return found
