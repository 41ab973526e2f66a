"""The log of calls to providers."""

from datetime import datetime
from typing import Any, Self

from api.http.values import Out, example
from models.tables.platform.traffic import ProviderExchange


class ExchangeOut(Out):
    """One call to a provider: secrets gone, phone numbers and names masked."""

    model_config = example(
        id="1207", provider="daraja", operation="b2c", partner_id="prt_01ktv0r5m8e9a7d3c2b4x6y8z0",
        workflow_id="loan-disbursement/prt_01ktv0r5m8e9a7d3c2b4x6y8z0/91", reference="pay_…-a1", method="POST",
        url="/mpesa/b2c/v3/paymentrequest", request={"Amount": "12500"}, response={"ResponseCode": "0"},
        status_code=200, outcome="ok", duration_ms=412, started_at="2026-11-21T06:14:04Z",
    )  # fmt: skip

    id: str
    provider: str
    operation: str
    partner_id: str | None
    workflow_id: str | None
    reference: str | None
    method: str
    url: str
    request: Any
    response: Any
    status_code: int | None
    outcome: str
    duration_ms: int
    started_at: datetime

    @classmethod
    def of(cls, row: ProviderExchange) -> Self:
        return cls.model_validate({**row.model_dump(), "id": str(row.id)})
