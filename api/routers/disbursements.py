"""Loan disbursements: started, read, waited for, commanded."""

import asyncio
import time
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from api import commands
from api.auth import DisbursementReader, DisbursementResolver, DisbursementWriter, Principal
from api.dependencies import House, Services
from api.documented import WRITES, problems
from api.idempotency import Idempotent, Once
from api.known_parameters import KNOWN_PARAMETERS
from api.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.schemas.disbursements import (
    AttemptOut,
    ChargesOut,
    CommandOut,
    DisbursementDetail,
    DisbursementNew,
    DisbursementOut,
    EventOut,
    ResolutionIn,
    SagaNow,
    Timeline,
    WishIn,
)
from api.schemas.values import id_pattern
from core.crypto import sha256_hex
from core.errors import Conflict, InvalidRequest, KivukoError, NotFound
from core.ids import DISBURSEMENT, new_id
from ledger.balances import open_holds
from models.messages.base import Message
from models.messages.disbursements import Stage
from models.messages.payouts import Resolution, RetryNow
from models.tables.disbursements import Disbursement
from store import audit, disbursements, payouts
from temporal.starts import start_disbursement

router = APIRouter(prefix="/api/v1/disbursements", tags=["disbursements"], dependencies=KNOWN_PARAMETERS)

DisbursementId = Annotated[str, Path(pattern=id_pattern(DISBURSEMENT))]
_LOOK_EVERY: Final = 0.25


@router.post(
    "",
    status_code=202,
    response_model=DisbursementOut,
    responses={
        200: {"model": DisbursementOut, "description": "The loan has this disbursement already"},
        **problems(404, 409, *WRITES),
    },
    summary="Pay out an approved loan",
)
async def create_disbursement(
    wanted: DisbursementNew, house: House, principal: DisbursementWriter, once: Idempotent
) -> Response:
    """The loan is the natural key: asking again gives the same disbursement, whoever or whatever asked first. A loan
    whose disbursement ended unpaid gets a new one."""
    partner_id = wanted.partner_id or principal.partner_id
    if partner_id is None:
        raise InvalidRequest("Name the partner; this key is of the house.", code="missing", field="partner_id")
    principal.visible(partner_id)
    started = await start_disbursement(
        house.client,
        house.database,
        partner_id=partner_id,
        loan_id=wanted.loan_id,
        source="api",
        requested_by=principal.id,
    )
    async with house.database.transaction() as session:
        row = await disbursements.get(session, started.disbursement_id)
        assert row is not None
        shown = DisbursementOut.of(row)
        if started.created:
            await audit.write(
                session,
                actor=principal.id,
                action="disbursements.create",
                subject=row.id,
                after=shown.model_dump(mode="json"),
            )
        return await once.reply(
            session, shown, status=202 if started.created else 200, location=f"/api/v1/disbursements/{row.id}"
        )


@router.get("", responses=problems(404), summary="List disbursements, newest first")
async def list_disbursements(
    house: House,
    principal: DisbursementReader,
    partner_id: PartnerFilter = None,
    stage: Stage | None = None,
    cursor: IdCursor = None,
    limit: Limit = 50,
) -> Page[DisbursementOut]:
    if partner_id is not None:
        principal.visible(partner_id)
    async with house.database.transaction() as session:
        rows = await disbursements.page(
            session, partner_id=partner_id or principal.partner_id, stage=stage, before=cursor, limit=limit + 1
        )
    return page(rows, limit, DisbursementOut.of, lambda row: row.id)


@router.get("/{disbursement_id}", responses=problems(404), summary="One disbursement; `wait` for its end")
async def get_disbursement(
    disbursement_id: DisbursementId,
    request: Request,
    house: House,
    principal: DisbursementReader,
    wait: Annotated[float, Query(ge=0, le=120, description="Seconds to wait for an ended stage, bounded by us")] = 0,
) -> DisbursementDetail:
    deadline = time.monotonic() + min(wait, house.settings.api.max_wait_seconds)
    row = await _find(house, principal, disbursement_id)
    while row.ended_at is None and (left := deadline - time.monotonic()) > 0:
        await asyncio.sleep(min(_LOOK_EVERY, left))
        if await request.is_disconnected():
            break
        row = await _find(house, principal, disbursement_id)
    status = await commands.ask_status(house, row)
    async with house.database.transaction() as session:
        attempts = await payouts.of_workflow(session, row.workflow_id)
        holds = await open_holds(session, workflow_id=row.workflow_id)
    return DisbursementDetail.model_validate(
        {
            **DisbursementOut.facts(row),
            "attempts": [AttemptOut.of(attempt) for attempt in attempts],
            "charge_state": ChargesOut.of(row, holds),
            "saga": SagaNow.of(status) if status else None,
        }
    )


@router.get("/{disbursement_id}/events", responses=problems(404), summary="Its timeline, oldest first")
async def list_disbursement_events(
    disbursement_id: DisbursementId, house: House, principal: DisbursementReader
) -> Timeline:
    row = await _find(house, principal, disbursement_id)
    async with house.database.transaction() as session:
        events = await disbursements.events(session, row.workflow_id)
    return Timeline(items=[EventOut.of(event) for event in events])


@router.post(
    "/{disbursement_id}/resolve",
    response_model=CommandOut,
    responses=problems(404, 409, *WRITES),
    summary="Decide, with evidence, what the machine must not guess",
)
async def resolve_disbursement(
    disbursement_id: DisbursementId,
    wanted: ResolutionIn,
    house: House,
    principal: DisbursementResolver,
    once: Idempotent,
) -> Response:
    """409 if the decision does not fit the stage, 422 if a fact is missing."""
    row = await _find(house, principal, disbursement_id)
    async with house.database.transaction() as session:
        attempts = await payouts.of_workflow(session, row.workflow_id)
        about = attempts[-1].reference if attempts else ""
        if wanted.receipt and await payouts.receipt_is_taken(session, wanted.receipt, by_other_than=about):
            raise Conflict("That receipt belongs to another payout.", code="receipt_taken", field="receipt")
    resolution = Resolution(
        decision=wanted.decision,
        evidence=wanted.evidence,
        actor=principal.id,
        reference=wanted.reference,
        receipt=wanted.receipt,
        transaction_id=wanted.transaction_id,
        paid_at=wanted.paid_at,
    )
    # Without a key the same words are one decision, but only on the same attempt: a later one needs its own.
    content = sha256_hex(f"{principal.id}\n{about}\n{wanted.model_dump_json()}")
    return await _command(house, principal, once, row, "resolve", resolution, content)


@router.post(
    "/{disbursement_id}/retry",
    response_model=CommandOut,
    responses=problems(404, 409, *WRITES),
    summary="Go on at once instead of at the end of a wait",
)
async def retry_disbursement(
    disbursement_id: DisbursementId,
    house: House,
    principal: DisbursementWriter,
    once: Idempotent,
    wanted: WishIn | None = None,
) -> Response:
    row = await _find(house, principal, disbursement_id)
    wish = RetryNow(actor=principal.id, note=wanted.note if wanted else "")
    return await _command(house, principal, once, row, "retry", wish, new_id("cmd"))


@router.post(
    "/{disbursement_id}/cancel",
    response_model=CommandOut,
    responses=problems(404, 409, *WRITES),
    summary="Stop it, if no money can have left",
)
async def cancel_disbursement(
    disbursement_id: DisbursementId,
    house: House,
    principal: DisbursementWriter,
    once: Idempotent,
    wanted: WishIn | None = None,
) -> Response:
    row = await _find(house, principal, disbursement_id)
    wish = RetryNow(actor=principal.id, note=wanted.note if wanted else "")
    return await _command(house, principal, once, row, "cancel_request", wish, new_id("cmd"))


async def _find(house: Services, principal: Principal, disbursement_id: str) -> Disbursement:
    async with house.database.transaction() as session:
        row = await disbursements.get(session, disbursement_id)
    if row is None or not principal.sees(row.partner_id):
        raise NotFound("No disbursement has that id.", field="disbursement_id")
    return row


async def _command(
    house: Services,
    principal: Principal,
    once: Once,
    row: Disbursement,
    update: Literal["resolve", "retry", "cancel_request"],
    message: Message,
    content: str,
) -> Response:
    """Recorded before it is sent, so that no command leaves without a trace; a refusal is recorded too."""
    update_id = f"api:{sha256_hex(f'{principal.id}:{once.key}')}" if once.key else f"api:{content}"
    action = f"disbursements.{update}"
    async with house.database.transaction() as session:
        await audit.write(
            session,
            actor=principal.id,
            action=action,
            subject=row.id,
            before={"stage": row.stage},
            after=message.model_dump(mode="json", exclude={"actor"}),
        )
    try:
        taken = await commands.tell(house, row, update, message, update_id)
    except KivukoError as error:
        async with house.database.transaction() as session:
            await audit.write(
                session, actor=principal.id, action=f"{action}.refused", subject=row.id, after={"code": error.code}
            )
        raise
    async with house.database.transaction() as session:
        answer = CommandOut(disbursement_id=row.id, stage=taken.stage, at=taken.at)
        return await once.reply(session, answer, status=200)
