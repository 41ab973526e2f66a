"""The partners' prepaid wallets."""

from typing import Any, Final

from fastapi import APIRouter, Response

from api.http.auth import WalletCreditor, WalletReader
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, again, problems
from api.http.paging import Limit, NumberCursor, Page, page
from api.http.values import MoneyOut
from api.lending import admin_credits
from api.lending.wallets_schemas import CreditIn, CreditOut, WalletEntry, WalletOut
from api.operations.approvals import show
from api.operations.approvals_schemas import ApprovalOut
from api.partners.partners import PartnerId
from ledger import chart
from ledger.balances import balance, entries
from models.tables.platform.approval import ApprovalRequest
from store.platform import partners

router = APIRouter(prefix="/api/v1/partners/{partner_id}/wallet", tags=["wallets"], dependencies=KNOWN_PARAMETERS)

_WAITS: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": ApprovalOut, "description": "Another person must approve it"}
}


@router.get("", responses=problems(404), summary="Balance, held and available")
async def get_wallet(partner_id: PartnerId, services: ServicesDep, principal: WalletReader) -> WalletOut:
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        partner = await partners.get(session, partner_id)
        found = await balance(session, chart.partner_wallet(partner_id, partner.currency))
    return WalletOut.of(partner_id, found)


@router.get("/entries", responses=problems(404), summary="The wallet's lines, newest first")
async def list_wallet_entries(
    partner_id: PartnerId,
    services: ServicesDep,
    principal: WalletReader,
    cursor: NumberCursor = None,
    limit: Limit = 50,
) -> Page[WalletEntry]:
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        partner = await partners.get(session, partner_id)
        wallet = chart.partner_wallet(partner_id, partner.currency)
        rows = await entries(session, wallet, limit=limit + 1, before=cursor)
    return page(rows, limit, WalletEntry.of, lambda row: row.id)


@router.post(
    "/credits",
    status_code=201,
    response_model=CreditOut,
    responses=again(CreditOut)
    | _WAITS
    | problems(404, "reference_taken", "reference_reused", "idempotency_key_reused", *WRITES),
    summary="Book money that arrived for the partner",
)
async def credit_wallet(
    partner_id: PartnerId, wanted: CreditIn, services: ServicesDep, principal: WalletCreditor, once: Idempotent
) -> Response:
    """The reference is the bank's transaction: it is booked once, whether a person, a push or the statement tells of it,
    and however its letters are written. 202: another person must approve it (`/api/v1/approvals`), and then it is booked;
    201 where the platform's policy lets one person do it. Again with the same amount it answers 200 and moves nothing, with
    another 409; so does a transaction that the bank has announced. Disbursements that wait for money go on."""
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        partner = await partners.get(session, partner_id)
        done = await admin_credits.book_or_ask(session, principal, partner, wanted)
        if isinstance(done, ApprovalRequest):
            waits = await show(session, principal, done)
            return await once.reply(session, waits, status=202, location=f"/api/v1/approvals/{done.id}")
        credited = CreditOut(
            reference=done.reference,
            amount=MoneyOut.of(wanted.amount.money),
            balance=MoneyOut.of(done.balance),
            available=MoneyOut.of(done.available),
            status="booked" if done.new else "already_booked",
        )
        return await once.reply(session, credited, status=201 if done.new else 200)
