"""The kinds of sagas as the command line knows them: an id's prefix names its kind, and the kind its place in the API."""

from dataclasses import dataclass
from typing import Final

from cli.errors import Failure
from core.ids import COLLECTION, DISBURSEMENT, FLOAT_PURCHASE, TOP_UP

# Stages that no saga leaves; "returned" is an end of top-ups and collections (floats say "returning").
ENDED: Final = frozenset({"completed", "refused", "failed", "withdrawn", "expired", "returned", "merged"})


@dataclass(frozen=True)
class Kind:
    """`path` is the resource under /api/v1, `word` what people call it, `shown` what of a row is for people's eyes."""

    prefix: str
    path: str
    word: str
    shown: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its name in JSON, such as "top_up"."""
        return self.word.replace("-", "_").replace(" ", "_")


_OF_ALL: Final = ("reason_code", "reason", "requested_by", "workflow_id", "created_at", "ended_at")


DISBURSEMENTS: Final = Kind(
    DISBURSEMENT, "/disbursements", "disbursement",
    (
        "partner_id", "loan_id", "account", "source", "amount", "principal", "charges", "paid", "receipts",
        "transaction_id", *_OF_ALL,
    ),
)  # fmt: skip
TOP_UPS: Final = Kind(
    TOP_UP, "/top-ups", "top-up",
    ("partner_id", "method", "amount", "reference", "pay_to", "phone", "credited", "bank_reference", *_OF_ALL),
)  # fmt: skip
FLOATS: Final = Kind(
    FLOAT_PURCHASE, "/float-purchases", "float purchase",
    (
        "partner_id", "operator", "amount", "total", "held", "transfer_reference", "purchase_reference",
        "returned_reference", *_OF_ALL,
    ),
)  # fmt: skip
COLLECTIONS: Final = Kind(
    COLLECTION, "/collections", "collection",
    (
        "partner_id", "channel", "amount", "account", "phone", "payer_reference", "receipt", "paid_at", "allocations",
        *_OF_ALL,
    ),
)  # fmt: skip
KINDS: Final = (DISBURSEMENTS, TOP_UPS, FLOATS, COLLECTIONS)


def kind_of(saga_id: str) -> Kind:
    """Raises Failure for an id that belongs to no saga."""
    prefix = saga_id.partition("_")[0]
    found = next((kind for kind in KINDS if kind.prefix == prefix), None)
    if found is None:
        known = ", ".join(f"{kind.prefix}_… ({kind.word})" for kind in KINDS)
        raise Failure(f"{saga_id} is no payment's id. Known are {known}.", code="usage")
    return found


def path_of(saga_id: str) -> str:
    """Where the API shows this saga, such as /top-ups/top_01ktv…."""
    return f"{kind_of(saga_id).path}/{saga_id}"
