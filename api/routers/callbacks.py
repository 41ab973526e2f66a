"""Where M-Pesa reaches us. Stored, then answered, then delivered; a forged address changes nothing (P3).

The path says what comes (`out` a result, `out-late` a timeout notice, `ask` a status answer, `level` balances), the
signed token to which payment it belongs. Daraja refuses addresses with certain words, hence these (daraja.md).
"""

from datetime import timedelta
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Path, Request
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, Response

from api import callbacks, chores
from api.background import afterwards
from api.callbacks import KINDS, Kind
from api.dependencies import House, Services
from api.documented import open_problems
from api.source_address import is_allowed, source_address
from core.clock import utc_now
from core.crypto import CallbackRoute
from core.errors import KivukoError, NotAllowed, NotFound
from models.messages.connections import CHECK_ROUTE
from models.messages.payouts import PayoutReport
from models.tables.disbursements import PayoutAttempt
from models.tables.partners import Connection
from providers.daraja.wire import CALLBACK_REPLY, parse_balance_result
from providers.ports import PayoutResult
from store import inbox, partner_admin, payouts, wallets
from temporal.delivery import deliver

router = APIRouter(prefix="/cb", tags=["callbacks"])
log = structlog.get_logger()

PROVIDER: Final = "daraja"
_BALANCE: Final = "balance/"
_DELIVERY_TIMEOUT: Final = timedelta(seconds=5)

RouteHex = Annotated[str, Path(description="The route, in hex")]
MacHex = Annotated[str, Path(description="Its signature, in hex")]
_DOCUMENTED: Final[dict[str, Any]] = {
    "responses": {
        200: {
            "description": "Stored",
            "content": {"application/json": {"schema": {"type": "object"}, "example": CALLBACK_REPLY}},
        },
        **open_problems(403, 404, 413, 503),
    },
    "openapi_extra": {
        "requestBody": {
            "content": {"application/json": {"schema": {}, "example": {"Result": {"ResultCode": 0, "ResultType": 0}}}}
        }
    },
}


@router.post("/{route_hex}/{mac_hex}/out", summary="The result of a payout", **_DOCUMENTED)
async def take_payout_result(route_hex: RouteHex, mac_hex: MacHex, request: Request, house: House) -> Response:
    return await _take("out", route_hex, mac_hex, request, house)


@router.post("/{route_hex}/{mac_hex}/out-late", summary="The notice that a payout timed out in a queue", **_DOCUMENTED)
async def take_payout_timeout(route_hex: RouteHex, mac_hex: MacHex, request: Request, house: House) -> Response:
    return await _take("out-late", route_hex, mac_hex, request, house)


@router.post("/{route_hex}/{mac_hex}/ask", summary="The answer to a status question", **_DOCUMENTED)
async def take_payout_status(route_hex: RouteHex, mac_hex: MacHex, request: Request, house: House) -> Response:
    return await _take("ask", route_hex, mac_hex, request, house)


@router.post("/{route_hex}/{mac_hex}/in", summary="What a payer answered to a prompt", **_DOCUMENTED)
async def take_prompt_answer(route_hex: RouteHex, mac_hex: MacHex, request: Request, house: House) -> Response:
    route = _route("prompt", route_hex, mac_hex, request, house)
    external_id, body, report = callbacks.read_prompt_answer(route, await request.body())
    async with house.database.transaction() as session:
        inbox_id, is_new = await inbox.store_report(
            session,
            provider=PROVIDER,
            kind="prompt",
            external_id=external_id,
            workflow_id=route.workflow_id,
            reference=route.reference,
            body=body,
            report=report,
            source=source_address(request, house.settings.callbacks),
        )
    house.metrics.callback("prompt", "stored" if is_new else "copy")
    response = JSONResponse(CALLBACK_REPLY)
    if is_new:
        response.background = afterwards(
            "deliver", lambda: deliver(house.client, house.database, inbox_id, rpc_timeout=_DELIVERY_TIMEOUT)
        )
    return response


@router.post("/{route_hex}/{mac_hex}/level", summary="The balances of the partner's M-Pesa accounts", **_DOCUMENTED)
async def take_balances(route_hex: RouteHex, mac_hex: MacHex, request: Request, house: House) -> Response:
    route = _route("balance", route_hex, mac_hex, request, house)
    if not route.workflow_id.startswith(_BALANCE):
        raise _unknown_address()
    body = callbacks.decode(await request.body())
    if route.workflow_id.startswith(CHECK_ROUTE):
        # Credentials that somebody tries: their answer says nothing of those that are stored.
        told = BackgroundTask(chores.tell_check, house, route, callbacks.read_balance_check(body))
        return JSONResponse(CALLBACK_REPLY, background=told)
    async with house.database.transaction() as session:
        connection = await partner_admin.find_connection(session, route.reference, PROVIDER)
        try:
            balances = parse_balance_result(body)
        except KivukoError as error:
            if isinstance(error, NotAllowed) and connection is not None:
                await partner_admin.block(session, connection.id, error.detail)
            log.warning("balances_not_told", partner_id=route.reference, code=error.code)
            house.metrics.callback("balance", "not_noted")
        else:
            if connection is not None:
                await wallets.tell(session, route.reference, PROVIDER, balances, utc_now())
            house.metrics.callback("balance", "noted")
    return JSONResponse(CALLBACK_REPLY)


async def _take(kind: Kind, route_hex: str, mac_hex: str, request: Request, house: Services) -> Response:
    """Source, signature, parse, store, 200; the delivery follows the answer, and a sweep follows the delivery."""
    name = KINDS[kind].name
    route = _route(name, route_hex, mac_hex, request, house)
    if route.workflow_id.startswith(_BALANCE):
        raise _unknown_address()
    reading = callbacks.read(kind, route, await request.body())
    async with house.database.transaction() as session:
        attempt = await payouts.get(session, route.reference)
        connection = await _connection(session, attempt)
        version = connection.settings.get("b2c_version") if connection else None
        report = callbacks.report_of(kind, route, reading.result, b2c_version=version)
        inbox_id, is_new = await inbox.store_report(
            session,
            provider=PROVIDER,
            kind=name,
            external_id=reading.external_id,
            workflow_id=route.workflow_id,
            reference=route.reference,
            body=reading.body,
            report=report,
            source=source_address(request, house.settings.callbacks),
        )
        if is_new and attempt is not None and connection is not None:
            await _learn(session, kind, attempt, connection, report, reading.result)
    house.metrics.callback(name, "garbled" if reading.garbled else "stored" if is_new else "copy")
    response = JSONResponse(CALLBACK_REPLY)
    if is_new:
        response.background = afterwards(
            "deliver", lambda: deliver(house.client, house.database, inbox_id, rpc_timeout=_DELIVERY_TIMEOUT)
        )
    return response


def _route(name: str, route_hex: str, mac_hex: str, request: Request, house: Services) -> CallbackRoute:
    """Raises NotAllowed for a source that is not the provider's, NotFound for an address that we did not make."""
    if not is_allowed(source_address(request, house.settings.callbacks), house.settings.callbacks.allowed_sources):
        house.metrics.callback(name, "wrong_source")
        raise NotAllowed("Callbacks are not taken from this address.", code="wrong_source")
    try:
        return house.signer.verify(route_hex, mac_hex)
    except NotAllowed:
        house.metrics.callback(name, "forged")
        raise _unknown_address() from None


async def _connection(session: AsyncSession, attempt: PayoutAttempt | None) -> Connection | None:
    return None if attempt is None else await partner_admin.find_connection(session, attempt.partner_id, PROVIDER)


async def _learn(
    session: AsyncSession,
    kind: Kind,
    attempt: PayoutAttempt,
    connection: Connection,
    report: PayoutReport,
    result: PayoutResult,
) -> None:
    """What a report says beside the payout: that our credential is at fault, and how much is left on the accounts."""
    if report.operator_needed:
        # Before the next send: one stale password fails, then locks, a whole batch (SCARS).
        sent_at = attempt.created_at if kind == "out" else None
        if await partner_admin.block(session, connection.id, report.detail, sent_at=sent_at):
            log.warning("connection_blocked", partner_id=attempt.partner_id, code=report.code)
    if result.balances:
        told_at = min(result.happened_at or utc_now(), utc_now())
        await wallets.tell(session, attempt.partner_id, PROVIDER, result.balances, told_at)


def _unknown_address() -> NotFound:
    return NotFound("There is nothing here.")
