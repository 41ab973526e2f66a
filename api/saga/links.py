"""From a case or an attempt to its saga, as a link."""

from typing import Final, Self

from api.http.values import Out, example
from store.saga.sagas import Saga

# Where each kind of saga is found in the API, which is also what its scopes begin with.
RESOURCES: Final[dict[str, str]] = {
    "loan-disbursement": "disbursements",
    "customer-collection": "collections",
    "wallet-top-up": "top-ups",
    "float-purchase": "float-purchases",
}

LINK: Final = {
    "kind": "loan-disbursement", "id": "dsb_01ktv0r5m8e9a7d3c2b4x6y8z0", "stage": "in_review", "ended": False,
    "href": "/api/v1/disbursements/dsb_01ktv0r5m8e9a7d3c2b4x6y8z0",
}  # fmt: skip


class SagaLink(Out):
    """The saga behind it, and where the API shows it."""

    model_config = example(**LINK)

    kind: str
    id: str
    stage: str
    ended: bool
    href: str

    @classmethod
    def of(cls, saga: Saga) -> Self:
        return cls(
            kind=saga.kind,
            id=saga.id,
            stage=saga.stage,
            ended=saga.ended_at is not None,
            href=f"/api/v1/{RESOURCES[saga.kind]}/{saga.id}",
        )
