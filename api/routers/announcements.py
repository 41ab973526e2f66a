"""Where a partner's M-Pesa short code and its bank tell of money. Each has an address with a secret of its own.

`/cb/in/<secret>/check` M-Pesa asks whether a paybill payment should be taken; `/cb/in/<secret>/confirm` M-Pesa tells of one
that was made; `/cb/bank/<secret>/` the bank tells of every movement (daraja.md 5, bank_ncba.md 2).
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response
from temporalio.client import WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from api import announcements, callbacks
from api.background import afterwards
from api.dependencies import House, Services
from api.documented import open_problems
from core.crypto import sha256_hex
from core.errors import Garbled, NotAllowed
from models.messages.collections import AccountChecked, CheckAccount
from models.messages.connections import DarajaSettings
from models.tables.partners import Connection
from providers.collecting import PaymentSeen
from providers.daraja.wire import C2B_CONFIRMED, C2bRefusal, c2b_accept, c2b_reject, parse_c2b, scrub
from temporal.delivery import deliver
from temporal.queues import FLOWS_QUEUE

router = APIRouter(prefix="/cb", tags=["callbacks"])
log = structlog.get_logger()

_DELIVERY_TIMEOUT: Final = timedelta(seconds=5)
_PAYMENT: Final = {
    "TransactionType": "Pay Bill", "TransID": "UKL9M2T4VC", "TransTime": "20261121091455", "TransAmount": "1500.00",
    "BusinessShortCode": "600984", "BillRefNumber": "000000091", "MSISDN": "2547 ***** 678", "FirstName": "WANJIRU",
}  # fmt: skip
_PUSHED: Final = (
    "<NCBAPaymentNotificationRequest><User>kvkuser</User><TransID>FT26001ABCDE</TransID><TransAmount>1500.00</TransAmount>"
    "</NCBAPaymentNotificationRequest>"
)


def _c2b(reply: Mapping[str, int | str]) -> dict[str, Any]:
    answer = {"schema": {"type": "object"}, "example": dict(reply)}
    return {
        "responses": {
            200: {"description": "Answered as M-Pesa expects", "content": {"application/json": answer}},
            **open_problems(403, 404, 413, 503),
        },
        "openapi_extra": {
            "requestBody": {"content": {"application/json": {"schema": {"type": "object"}, "example": _PAYMENT}}}
        },
    }


_PUSH: Final[dict[str, Any]] = {
    "responses": {
        200: {
            "description": "Stored",
            "content": {"text/xml": {"schema": {"type": "string"}, "example": "<Result>OK</Result>"}},
        },
        **open_problems(403, 404, 413, 503),
    },
    "openapi_extra": {"requestBody": {"content": {"text/xml": {"schema": {"type": "string"}, "example": _PUSHED}}}},
}


@router.post("/in/{secret}/check", summary="May this paybill payment be made?", **_c2b(c2b_accept()))
async def check_paybill_payment(secret: str, request: Request, house: House) -> Response:
    """Answered within M-Pesa's limit whatever else is slow: what is not known in time is accepted, since a payment that
    cannot be placed is kept for a person, while one that was refused is a customer turned away."""
    connection = await _mpesa(house, request, secret)
    try:
        seen = parse_c2b(callbacks.decode(await request.body()))
    except (Garbled, RecursionError):
        house.metrics.callback("validation", "garbled")
        return JSONResponse(c2b_accept())
    refusal = await _refusal(house, connection, seen)
    house.metrics.callback("validation", "refused" if refusal else "accepted")
    return JSONResponse(c2b_reject(refusal) if refusal else c2b_accept())


@router.post("/in/{secret}/confirm", summary="A paybill payment was made", **_c2b(C2B_CONFIRMED))
async def take_paybill_confirmation(secret: str, request: Request, house: House) -> Response:
    """Stored and answered whether or not a validation came before; nothing that we answer can undo the payment."""
    connection = await _mpesa(house, request, secret)
    raw = await request.body()
    inbox_id: str | None = None
    async with house.database.transaction() as session:
        try:
            seen = parse_c2b(callbacks.decode(raw))
            if not announcements.is_of(connection, seen.account):
                raise Garbled("It names a short code that is not this connection's.")
        except (Garbled, RecursionError) as error:
            await announcements.keep_unreadable(session, house, request, connection, raw, str(error))
            house.metrics.callback("confirmation", "garbled")
        else:
            shortcode = announcements.collection_shortcode(connection)
            payment = announcements.announced(connection.partner_id, "daraja", seen, "confirmation", shortcode)
            body = scrub(callbacks.decode(raw))
            stored, is_new = await announcements.store_payment(session, house, request, payment, body)
            inbox_id = stored if is_new else None
            house.metrics.callback("confirmation", "stored" if is_new else "copy")
    return _answered(JSONResponse(C2B_CONFIRMED), house, inbox_id)


@router.post(
    "/bank/{secret}/", summary="Something moved on the partner's bank account", response_class=Response, **_PUSH
)
async def take_bank_push(secret: str, request: Request, house: House) -> Response:
    """Hash or signature, credentials and source must all fit; a forged push changes nothing."""
    announcements.refuse_strangers(house, request, house.settings.callbacks.allowed_bank_sources, "bank_push")
    connection = await announcements.connection_of(house, "bank", secret)
    raw = await request.body()
    inbox_id: str | None = None
    try:
        event = announcements.read_push(house, connection, raw, request.headers)
    except NotAllowed as forged:
        house.metrics.callback("bank_push", "forged")
        log.warning("bank_push_refused", partner_id=connection.partner_id, code=forged.code)
        content, media = announcements.push_reply(connection, False, "not authorised")
        return Response(content, status_code=403, media_type=media)
    except (Garbled, RecursionError) as error:
        async with house.database.transaction() as session:
            await announcements.keep_unreadable(session, house, request, connection, raw, str(error))
        house.metrics.callback("bank_push", "garbled")
    else:
        async with house.database.transaction() as session:
            body = {"event_id": event.event_id, "kind": event.kind.value, "account": event.account}
            inbox_id = await announcements.store_event(session, house, request, connection, event, body)
        house.metrics.callback("bank_push", "stored" if inbox_id else "copy")
    content, media = announcements.push_reply(connection, True)
    return _answered(Response(content, media_type=media), house, inbox_id)


async def _mpesa(house: Services, request: Request, secret: str) -> Connection:
    announcements.refuse_strangers(house, request, house.settings.callbacks.allowed_sources, "paybill")
    return await announcements.connection_of(house, "daraja", secret)


async def _refusal(house: Services, connection: Connection, seen: PaymentSeen) -> C2bRefusal | None:
    if not DarajaSettings.model_validate(connection.settings).reject_unknown_accounts:
        return None
    known = await _account_is_known(house, connection.partner_id, seen.reference)
    return C2bRefusal.account_number if known is False else None


async def _account_is_known(house: Services, partner_id: str, account_ref: str) -> bool | None:
    """None if nobody said so in time."""
    digest = sha256_hex(f"{partner_id}\n{account_ref}")[:32]
    limit = house.settings.callbacks.validation_seconds
    try:
        async with asyncio.timeout(limit):  # of start and answer together
            handle = await house.client.start_workflow(
                "AccountCheck",
                CheckAccount(partner_id=partner_id, account_ref=account_ref),
                id=f"account-check/{digest}",
                task_queue=FLOWS_QUEUE,
                result_type=AccountChecked,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                execution_timeout=timedelta(seconds=10),
                rpc_timeout=timedelta(seconds=limit),
            )
            checked: AccountChecked = await handle.result()
    except (RPCError, WorkflowFailureError, TimeoutError):
        return None
    return checked.known


def _answered(response: Response, house: Services, inbox_id: str | None) -> Response:
    if inbox_id is not None:
        new = inbox_id
        response.background = afterwards(
            "deliver", lambda: deliver(house.client, house.database, new, rpc_timeout=_DELIVERY_TIMEOUT)
        )
    return response
