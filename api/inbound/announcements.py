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
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.service import RPCError

from api.http.dependencies import Services, ServicesDep
from api.http.openapi import open_problems
from api.inbound import entrance
from core.clock import utc_now
from core.crypto import sha256_hex
from core.errors import Garbled, NotAllowed, Throttled
from inbound import bank
from inbound.daraja import decode
from models.messages.connections.daraja import DarajaSettings
from models.messages.saga.payment_pulls import AccountChecked, CheckAccount
from models.tables.platform.connection import Connection
from providers.collecting import PaymentSeen
from providers.daraja.wire import C2B_CONFIRMED, C2bRefusal, c2b_accept, c2b_reject, parse_c2b
from providers.ncba.wire import push_reply as ncba_reply
from providers.reference_bank.wire import push_reply as reference_reply
from temporal.queues import FLOWS_QUEUE

router = APIRouter(prefix="/cb", tags=["callbacks"])
log = structlog.get_logger()

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
async def check_paybill_payment(secret: str, request: Request, services: ServicesDep) -> Response:
    """Answered within M-Pesa's limit whatever else is slow: what is not known in time is accepted, since a payment that
    cannot be placed is kept for a person, while one that was refused is a customer turned away. For the same reason more
    questions than one short code has customers are accepted unasked."""
    connection = await _mpesa(services, request, secret)
    try:
        services.hints.take(connection.id)
        seen = parse_c2b(decode(await request.body()))
    except Throttled:
        services.metrics.callback("validation", "limited")
        return JSONResponse(c2b_accept())
    except (Garbled, RecursionError):
        services.metrics.callback("validation", "garbled")
        return JSONResponse(c2b_accept())
    refusal = await _refusal(services, connection, seen)
    services.metrics.callback("validation", "refused" if refusal else "accepted")
    return JSONResponse(c2b_reject(refusal) if refusal else c2b_accept())


@router.post("/in/{secret}/confirm", summary="A paybill payment was made", **_c2b(C2B_CONFIRMED))
async def take_paybill_confirmation(secret: str, request: Request, services: ServicesDep) -> Response:
    """Stored and answered whether or not a validation came before; nothing that we answer can undo the payment."""
    connection = await _mpesa(services, request, secret)
    return await entrance.take(
        services,
        request,
        JSONResponse(C2B_CONFIRMED),
        endpoint="daraja.confirmation",
        provider="daraja",
        metric="confirmation",
        connection=connection,
    )


@router.post(
    "/bank/{secret}/", summary="Something moved on the partner's bank account", response_class=Response, **_PUSH
)
async def take_bank_push(secret: str, request: Request, services: ServicesDep) -> Response:
    """A bank that signs bytes and sends again is refused here if the signature is wrong, and nothing of it is stored. Any
    other is answered OK once its push is stored, and judged afterwards: what it does not prove changes nothing."""
    entrance.refuse_strangers(services, request, services.settings.callbacks.allowed_bank_sources, "bank_push")
    connection = await entrance.connection_of(services, "bank", secret)
    if connection.settings.get("dialect") in bank.PROVEN_AT_THE_DOOR:
        try:
            bank.parse(connection, services.box, await request.body(), request.headers, now=utc_now())
        except NotAllowed as forged:
            services.metrics.callback("bank_push", "forged")
            log.warning("push_refused", partner_id=connection.partner_id, provider="bank", code=forged.code)
            return _pushed(connection, False, "not authorised")
        except (Garbled, RecursionError):
            pass  # the signature was right: it is kept, and a person looks
    return await entrance.take(
        services,
        request,
        _pushed(connection, True),
        endpoint="bank.push",
        provider="bank",
        metric="bank_push",
        connection=connection,
    )


def _pushed(connection: Connection, ok: bool, detail: str = "") -> Response:
    reply = ncba_reply if connection.settings.get("dialect") == "ncba" else reference_reply
    content, media = reply(ok, detail)
    return Response(content, status_code=200 if ok else 403, media_type=media)


async def _mpesa(services: Services, request: Request, secret: str) -> Connection:
    entrance.refuse_strangers(services, request, services.settings.callbacks.allowed_sources, "paybill")
    return await entrance.connection_of(services, "daraja", secret)


async def _refusal(services: Services, connection: Connection, seen: PaymentSeen) -> C2bRefusal | None:
    if not DarajaSettings.model_validate(connection.settings).reject_unknown_accounts:
        return None
    known = await _account_is_known(services, connection.partner_id, seen.reference)
    return C2bRefusal.account_number if known is False else None


async def _account_is_known(services: Services, partner_id: str, account_ref: str) -> bool | None:
    """None if nobody said so in time."""
    digest = sha256_hex(f"{partner_id}\n{account_ref}".encode(errors="replace"))[:32]
    limit = services.settings.callbacks.validation_seconds
    try:
        async with asyncio.timeout(limit):  # of start and answer together
            handle = await services.client.start_workflow(
                "AccountCheck",
                CheckAccount(partner_id=partner_id, account_ref=account_ref),
                id=f"account-check/{digest}",
                task_queue=FLOWS_QUEUE,
                result_type=AccountChecked,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                execution_timeout=timedelta(seconds=10),
                priority=Priority(fairness_key=partner_id),
                rpc_timeout=timedelta(seconds=limit),
            )
            checked: AccountChecked = await handle.result()
    except (RPCError, WorkflowFailureError, TimeoutError):
        return None
    return checked.known
