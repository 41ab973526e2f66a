"""Where a partner's Fineract tells of approved loans and recorded payments. Unsigned, so a hint and no more (A3, A11): the
loan or the payment is read anew. A loan that no hook told of is found by the poll; nothing finds a payment, so its hook is
stored before it is answered."""

from datetime import timedelta
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from api.background import afterwards
from api.dependencies import House, Services
from api.documented import open_problems
from api.schemas.values import BIGINT
from api.source_address import source_address
from core.crypto import sha256_hex
from core.errors import InvalidRequest, NotFound
from models.messages.collections import PaymentRecorded
from models.tables.partners import Partner
from providers.fineract.wire import HookEvent, parse_hook
from store import partner_admin
from temporal import payment_notices
from temporal.delivery import deliver
from temporal.starts import start_disbursement

router = APIRouter(prefix="/cb/hooks", tags=["callbacks"])
log = structlog.get_logger()

_DELIVERY_TIMEOUT: Final = timedelta(seconds=5)
_TAKEN: Final = {"status": "ok"}
_OK: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Taken, whatever it says",
        "content": {"application/json": {"schema": {"type": "object"}, "example": _TAKEN}},
    }
}
_EVENT: Final = {"entityName": "LOAN", "actionName": "APPROVE", "response": {"loanId": 91}}


@router.get(
    "/{hook_secret}/", summary="Fineract's probe when the hook is made", responses=_OK | open_problems(404, 503)
)
async def probe_hook(hook_secret: str, house: House) -> Response:
    await _partner(house, hook_secret)
    return JSONResponse(_TAKEN)


@router.post(
    "/{hook_secret}/",
    summary="Something happened in the partner's Fineract",
    responses=_OK | open_problems(404, 413, 503),
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": {}, "example": _EVENT}}}},
)
async def take_hook(hook_secret: str, request: Request, house: House) -> Response:
    partner = await _partner(house, hook_secret)
    try:
        event = parse_hook(request.headers, await request.body())
    except (InvalidRequest, RecursionError):
        log.warning("hook_garbled", partner_id=partner.id)
        return JSONResponse(_TAKEN)
    response = JSONResponse(_TAKEN)
    if (recorded := recorded_payment(partner.id, event)) is not None:
        inbox_id = await _keep(house, request, event, recorded)
        if inbox_id is not None:
            response.background = afterwards(
                "delivery", lambda: deliver(house.client, house.database, inbox_id, rpc_timeout=_DELIVERY_TIMEOUT)
            )
        return response
    loan_id = approved_loan(event)
    if loan_id is not None:
        response.background = afterwards(
            "start_disbursement",
            lambda: start_disbursement(
                house.client,
                house.database,
                partner_id=partner.id,
                loan_id=loan_id,
                source="hook",
                requested_by="fineract-hook",
            ),
        )
    return response


def approved_loan(event: HookEvent) -> int | None:
    """The loan's id, if this tells of a loan that was approved."""
    approved = event.entity == "LOAN" and event.action == "APPROVE"
    return event.loan_id if approved and event.loan_id is not None and event.loan_id <= BIGINT else None


def recorded_payment(partner_id: str, event: HookEvent) -> PaymentRecorded | None:
    """The payment, if this tells of one that was recorded; failed and pending commands name none."""
    ids = {("LOAN", "REPAYMENT"): event.loan_id, ("SAVINGSACCOUNT", "DEPOSIT"): event.savings_id}
    account_id = ids.get((event.entity, event.action))
    if account_id is None or event.transaction_id is None or max(account_id, event.transaction_id) > BIGINT:
        return None
    return PaymentRecorded(
        partner_id=partner_id,
        kind="loan" if event.entity == "LOAN" else "savings",
        account_id=account_id,
        transaction_id=event.transaction_id,
    )


async def _keep(house: Services, request: Request, event: HookEvent, recorded: PaymentRecorded) -> str | None:
    """The inbox item to deliver; None for a copy of what was told before."""
    async with house.database.transaction() as session:
        inbox_id, is_new = await payment_notices.keep(
            session,
            recorded,
            body={"entity": event.entity, "action": event.action},
            source=source_address(request, house.settings.callbacks),
        )
    return inbox_id if is_new else None


async def _partner(house: Services, hook_secret: str) -> Partner:
    digest = sha256_hex(hook_secret.encode("utf-8", errors="replace"))
    async with house.database.transaction() as session:
        partner = await partner_admin.by_hook_digest(session, digest)
    if partner is None:
        raise NotFound("There is nothing here.")
    return partner
