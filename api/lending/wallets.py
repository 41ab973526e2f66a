"""The partners' prepaid wallets."""

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
from api.partners.partners import PartnerId
from ledger import chart
from ledger.balances import balance, entries
from store.platform import audit, partners

router = APIRouter(prefix="/api/v1/partners/{partner_id}/wallet", tags=["wallets"], dependencies=KNOWN_PARAMETERS)


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
    | problems(404, "reference_taken", "reference_reused", "idempotency_key_reused", *WRITES),
    summary="Book money that arrived for the partner",
)
async def credit_wallet(
    partner_id: PartnerId, wanted: CreditIn, services: ServicesDep, principal: WalletCreditor, once: Idempotent
) -> Response:
    """The reference is the bank's transaction: it is booked once, whether a person, a push or the statement tells of it,
    and however its letters are written. Again with the same amount it answers 200 and moves nothing, with another 409; so
    does a transaction that the bank has announced. Disbursements that wait for money go on."""
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        partner = await partners.get(session, partner_id)
        booked = await admin_credits.book(session, partner, wanted, by=principal.id)
        shown = CreditOut(
            reference=booked.reference,
            amount=MoneyOut.of(wanted.amount.money),
            balance=MoneyOut.of(booked.balance),
            available=MoneyOut.of(booked.available),
            status="booked" if booked.new else "already_booked",
        )
        if booked.new:
            await audit.write(
                session,
                actor=principal.id,
                action="wallets.credit",
                subject=partner_id,
                after={**shown.model_dump(mode="json"), "note": wanted.note, "top_up_id": booked.row.id},
            )
        return await once.reply(session, shown, status=201 if booked.new else 200)
