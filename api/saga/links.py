"""From a case or an attempt to its saga, as a link."""

from typing import Final, Self

from api.http.values import Out, example
from models import kinds
from temporal.commands import Row

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
    def of(cls, row: Row) -> Self:
        return cls.to(row.workflow_id, row.id, row.stage, ended=row.ended_at is not None)

    @classmethod
    def to(cls, workflow_id: str, row_id: str, stage: str, *, ended: bool) -> Self:
        kind = kinds.of_workflow(workflow_id)
        assert kind is not None, workflow_id
        return cls(kind=kind.name, id=row_id, stage=stage, ended=ended, href=f"/api/v1{kind.path}/{row_id}")
