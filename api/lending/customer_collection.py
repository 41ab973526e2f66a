"""Customers' payments: asked for by a prompt, read, waited for, commanded. Those by paybill come by themselves."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import CollectionReader, CollectionResolver, CollectionWriter
from api.http.dependencies import Services, ServicesDep
from api.http.idempotency import Idempotent, Keyed
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.http.values import id_pattern
from api.lending import money_rules
from api.lending.customer_collection_schemas import (
    CollectionDetail,
    CollectionNew,
    CollectionOut,
    CollectionResolution,
)
from api.saga import commands, pages
from api.saga.pages import Resource, Wait
from api.saga.schemas import CommandIn, CommandTakenOut, PaymentOut, PromptOut, SagaNow, Timeline
from core.errors import Conflict
from core.ids import COLLECTION
from models.messages.connections import DarajaSecrets
from models.messages.lending.customer_collection import CollectionStage
from models.messages.saga.decisions import RetryNow, Verdict
from models.tables.lending.customer_collection import Collection
from models.tables.platform.partner import Partner
from store.lending import customer_collection
from store.platform import partners
from store.saga import reads, saga_rows

router = APIRouter(prefix="/api/v1/collections", tags=["collections"], dependencies=KNOWN_PARAMETERS)

CollectionId = Annotated[str, Path(pattern=id_pattern(COLLECTION))]
_COLLECTIONS: Final = Resource[Collection](
    noun="collection",
    path=router.prefix,
    acts="collections",
    field="collection_id",
    read=lambda session, row_id: reads.row(session, Collection, row_id),
)


@router.post(
    "",
    status_code=202,
    response_model=CollectionOut,
    responses=problems(404, 409, *WRITES),
    summary="Ask a customer to pay",
)
async def create_collection(
    wanted: CollectionNew, services: ServicesDep, principal: CollectionWriter, once: Keyed
) -> Response:
    """The customer is prompted once. What is paid is booked in Fineract on `account`; if nobody has it, or it does not take
    the payment, a person decides."""

    async def make(session: AsyncSession, partner: Partner) -> tuple[Collection, CollectionOut]:
        amount = money_rules.in_currency_of(partner, wanted.amount)
        phone = money_rules.phone_of(wanted.phone, partner.country)
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

    return await pages.accept(services, principal, once, _COLLECTIONS, principal.for_partner(wanted.partner_id), make)


@router.get("", responses=problems(404), summary="List customers' payments, newest first")
async def list_collections(
    services: ServicesDep,
    principal: CollectionReader,
    partner_id: PartnerFilter = None,
    stage: CollectionStage | None = None,
    cursor: IdCursor = None,
    limit: Limit = 50,
) -> Page[CollectionOut]:
    if partner_id is not None:
        principal.visible(partner_id)
    async with services.database.transaction() as session:
        rows = await saga_rows.page(
            session,
            Collection,
            partner_id=partner_id or principal.partner_id,
            stage=stage,
            before=cursor,
            limit=limit + 1,
        )
    return page(rows, limit, CollectionOut.of, lambda row: row.id)


@router.get("/{collection_id}", responses=problems(404), summary="One customer's payment; `wait` for its end")
async def get_collection(
    collection_id: CollectionId, request: Request, services: ServicesDep, principal: CollectionReader, wait: Wait = 0
) -> CollectionDetail:
    row = await _COLLECTIONS.wait_for(services, principal, collection_id, request, wait)
    status = await commands.ask_status(services, row)
    async with services.database.transaction() as session:
        payment = await reads.payment(session, row.incoming_id)
        prompts = await reads.prompts(session, row.workflow_id)
    return CollectionDetail.model_validate(
        {
            **CollectionOut.facts(row),
            "payment": PaymentOut.of(payment) if payment else None,
            "prompts": [PromptOut.of(prompt) for prompt in prompts],
            "saga": SagaNow.of(status) if status else None,
        }
    )


@router.get("/{collection_id}/events", responses=problems(404), summary="Its timeline, oldest first")
async def list_collection_events(
    collection_id: CollectionId, services: ServicesDep, principal: CollectionReader
) -> Timeline:
    return await _COLLECTIONS.timeline(services, principal, collection_id)


@router.post(
    "/{collection_id}/resolve",
    response_model=CommandTakenOut,
    responses=problems(404, 409, *WRITES),
    summary="Decide, with evidence, whose money it is and what was done with it",
)
async def resolve_collection(
    collection_id: CollectionId,
    wanted: CollectionResolution,
    services: ServicesDep,
    principal: CollectionResolver,
    once: Keyed,
) -> Response:
    """409 if the decision does not fit the stage, 422 if a fact is missing or the allocations are not the payment."""
    row = await _COLLECTIONS.find(services, principal, collection_id)
    given = wanted.model_dump(exclude={"allocations"})
    allocations = tuple(part.message for part in wanted.allocations) if wanted.decision == "allocate" else ()
    verdict = Verdict.model_validate({**given, "allocations": allocations})
    return await pages.decide(services, principal, once, _COLLECTIONS, row, verdict)


@router.post(
    "/{collection_id}/retry",
    response_model=CommandTakenOut,
    responses=problems(404, 409, *WRITES),
    summary="Go on at once instead of at the end of a wait",
)
async def retry_collection(
    collection_id: CollectionId,
    services: ServicesDep,
    principal: CollectionWriter,
    once: Idempotent,
    wanted: CommandIn | None = None,
) -> Response:
    row = await _COLLECTIONS.find(services, principal, collection_id)
    wish = RetryNow(actor=principal.id, note=wanted.note if wanted else "")
    return await pages.command(services, principal, once, _COLLECTIONS, row, "retry", wish)


@router.post(
    "/{collection_id}/cancel",
    response_model=CommandTakenOut,
    responses=problems(404, 409, *WRITES),
    summary="Stop it, if the customer was not asked yet",
)
async def cancel_collection(
    collection_id: CollectionId,
    services: ServicesDep,
    principal: CollectionWriter,
    once: Idempotent,
    wanted: CommandIn | None = None,
) -> Response:
    row = await _COLLECTIONS.find(services, principal, collection_id)
    wish = RetryNow(actor=principal.id, note=wanted.note if wanted else "")
    return await pages.command(services, principal, once, _COLLECTIONS, row, "cancel_request", wish)


async def _can_prompt(session: AsyncSession, services: Services, partner: Partner) -> None:
    """Raises NotFound without a connection to M-Pesa, Conflict (code "no_passkey") if it cannot prompt (daraja.md 6)."""
    connection = await partners.connection(session, partner.id, "daraja")
    if DarajaSecrets.model_validate_json(services.box.open(connection.sealed)).passkey is None:
        raise Conflict(
            "The partner's M-Pesa connection has no pass key, without which nobody can be prompted.", code="no_passkey"
        )
