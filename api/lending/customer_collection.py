"""Customers' payments, asked for by a prompt; those by paybill come by themselves. What every saga offers is added by
`saga_routes`."""

from typing import Annotated, Any, Final

from fastapi import Depends, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal, need
from api.http.dependencies import Services, ServicesDep
from api.http.idempotency import Keyed
from api.http.openapi import WRITES, problems
from api.lending import money_rules
from api.lending.customer_collection_schemas import (
    CollectionDetail,
    CollectionNew,
    CollectionOut,
    CollectionResolution,
)
from api.saga.accepting import accept
from api.saga.money_rules import in_currency_of, phone_of
from api.saga.resource import Resource, Words
from api.saga.routes import saga_routes
from api.saga.schemas import PaymentOut, PromptOut
from core.errors import Conflict
from models.messages.connections.daraja import DarajaSecrets
from models.messages.lending.customer_collection import CollectionStage
from models.tables.lending.customer_collection import Collection
from models.tables.platform.partner import Partner
from store.lending import customer_collection
from store.lending.customer_collection import KIND
from store.platform import partners
from store.saga import reads

CollectionWriter = Annotated[Principal, Depends(need(KIND.scope("write")))]


async def _detail(session: AsyncSession, row: Collection) -> dict[str, Any]:
    payment = await reads.payment(session, row.incoming_id)
    return {
        "payment": PaymentOut.of(payment) if payment else None,
        "prompts": [PromptOut.of(prompt) for prompt in await reads.prompts(session, row.workflow_id)],
    }


COLLECTIONS: Final = Resource[Collection](
    kind=KIND,
    id_field="collection_id",
    stage=CollectionStage,
    out=CollectionOut,
    detail_out=CollectionDetail,
    detail=_detail,
    decision=CollectionResolution,
    words=Words(
        one="customer's payment",
        many="customers' payments",
        resolve="Decide, with evidence, whose money it is and what was done with it",
        resolve_notes="409 if the decision does not fit the stage, 422 if a fact is missing or the allocations are not the "
        "payment.",
        cancel="Stop it, if the customer was not asked yet",
    ),
)
router = saga_routes(COLLECTIONS)


@router.post(
    "",
    status_code=202,
    response_model=CollectionOut,
    responses=problems(404, "no_passkey", "idempotency_key_reused", *WRITES),
    summary="Ask a customer to pay",
)
async def create_collection(
    wanted: CollectionNew, services: ServicesDep, principal: CollectionWriter, once: Keyed
) -> Response:
    """The customer is prompted once. What is paid is booked in Fineract on `account`; if nobody has it, or it does not take
    the payment, a person decides."""

    async def make(session: AsyncSession, partner: Partner) -> tuple[Collection, CollectionOut]:
        amount = in_currency_of(partner, wanted.amount)
        phone = phone_of(wanted.phone, partner.country)
        money_rules.can_be_prompted(amount, phone)
        await _can_prompt(session, services, partner)
        row = await customer_collection.begin_prompted(
            session,
            partner_id=partner.id,
            amount=amount,
            account_ref=wanted.account,
            msisdn=phone,
            requested_by=principal.id,
        )
        return row, CollectionOut.of(row)

    return await accept(services, principal, once, COLLECTIONS, wanted, make)


async def _can_prompt(session: AsyncSession, services: Services, partner: Partner) -> None:
    """Raises NotFound without a connection to M-Pesa, Conflict (code "no_passkey") if it cannot prompt (daraja.md 6)."""
    connection = await partners.connection(session, partner.id, "daraja")
    if DarajaSecrets.model_validate_json(services.box.open(connection.sealed)).passkey is None:
        raise Conflict(
            "The partner's M-Pesa connection has no pass key, without which nobody can be prompted.", code="no_passkey"
        )
