"""Float purchases: priced, agreed to, read, waited for, commanded. The one-time code is in `float_codes.py`."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import FloatReader, FloatResolver, FloatWriter
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent, Keyed
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.http.values import MoneyOut, id_pattern
from api.lending import money_rules
from api.lending.float_purchase_schemas import (
    CodeState,
    CostOut,
    FloatDetail,
    FloatNew,
    FloatOut,
    FloatQuote,
    FloatResolution,
    FloatWish,
)
from api.saga import commands, pages
from api.saga.pages import Resource, Wait
from api.saga.schemas import AttemptOut, ChargeHeld, CommandIn, CommandTakenOut, SagaNow, Timeline
from core.clock import utc_now
from core.errors import Conflict
from core.ids import FLOAT_PURCHASE
from core.money import Money
from ledger import chart
from ledger.balances import balance, open_holds
from models.messages.lending.float_purchase import FloatStage
from models.messages.saga.decisions import RetryNow, Verdict
from models.tables.lending.float_purchase import FloatPurchase
from models.tables.platform.partner import Partner
from store.lending import float_purchase
from store.platform import partners
from store.saga import payouts, reads, saga_rows

router = APIRouter(prefix="/api/v1/float-purchases", tags=["float purchases"], dependencies=KNOWN_PARAMETERS)

PurchaseId = Annotated[str, Path(pattern=id_pattern(FLOAT_PURCHASE))]
PURCHASES: Final = Resource[FloatPurchase](
    noun="float purchase",
    path=router.prefix,
    acts="float_purchases",
    field="purchase_id",
    read=lambda session, row_id: reads.row(session, FloatPurchase, row_id),
)


@router.post("/quotes", responses=problems(404, 409, *WRITES), summary="What float would cost now")
async def quote_float(wanted: FloatWish, services: ServicesDep, principal: FloatWriter) -> FloatQuote:
    """Nothing is stored and nothing is held."""
    async with services.database.transaction() as session:
        partner = await partners.active(session, principal.for_partner(wanted.partner_id))
        costs = await _price(session, partner, wanted)
        wallet = await balance(session, chart.partner_wallet(partner.id, partner.currency))
    total = _total(costs, partner.currency)
    return FloatQuote(
        operator=wanted.operator,
        amount=MoneyOut.of(wanted.amount.money),
        lines=CostOut.lines(costs, partner.currency),
        total=MoneyOut.of(total),
        available=MoneyOut.of(wallet.available),
        enough=wallet.available >= total,
    )


@router.post(
    "",
    status_code=202,
    response_model=FloatOut,
    responses=problems(404, 409, *WRITES),
    summary="Buy float at the price that was shown",
)
async def create_float_purchase(
    wanted: FloatNew, services: ServicesDep, principal: FloatWriter, once: Keyed
) -> Response:
    """Float and fees are held in the wallet, and the partner's authorised people get a one-time code. If the price is no
    longer `expected_total`, the answer is 409 `price_changed`, whose facts are the new one."""

    async def make(session: AsyncSession, partner: Partner) -> tuple[FloatPurchase, FloatOut]:
        costs = await _price(session, partner, wanted)
        expected = money_rules.in_currency_of(partner, wanted.expected_total, "expected_total")
        if (total := _total(costs, partner.currency)) != expected:
            lines = {line["item"]: Money(line["amount_minor"], partner.currency).amount for line in costs}
            raise Conflict(
                f"The price is now {total}.",
                code="price_changed",
                field="expected_total",
                total=total.amount,
                currency=total.currency,
                **lines,
            )
        await money_rules.somebody_confirms(session, partner)
        row = await float_purchase.begin(
            session,
            partner_id=partner.id,
            operator=wanted.operator,
            amount=wanted.amount.money,
            costs=costs,
            requested_by=principal.id,
        )
        return row, FloatOut.of(row)

    return await pages.accept(services, principal, once, PURCHASES, principal.for_partner(wanted.partner_id), make)


@router.get("", responses=problems(404), summary="List float purchases, newest first")
async def list_float_purchases(
    services: ServicesDep,
    principal: FloatReader,
    partner_id: PartnerFilter = None,
    stage: FloatStage | None = None,
    cursor: IdCursor = None,
    limit: Limit = 50,
) -> Page[FloatOut]:
    if partner_id is not None:
        principal.visible(partner_id)
    async with services.database.transaction() as session:
        rows = await saga_rows.page(
            session,
            FloatPurchase,
            partner_id=partner_id or principal.partner_id,
            stage=stage,
            before=cursor,
            limit=limit + 1,
        )
    return page(rows, limit, FloatOut.of, lambda row: row.id)


@router.get("/{purchase_id}", responses=problems(404), summary="One float purchase; `wait` for its end")
async def get_float_purchase(
    purchase_id: PurchaseId, request: Request, services: ServicesDep, principal: FloatReader, wait: Wait = 0
) -> FloatDetail:
    row = await PURCHASES.wait_for(services, principal, purchase_id, request, wait)
    status = await commands.ask_status(services, row)
    async with services.database.transaction() as session:
        code = await reads.newest_code(session, row.workflow_id)
        holds = await open_holds(session, workflow_id=row.workflow_id)
        attempts = await payouts.of_workflow(session, row.workflow_id)
    return FloatDetail.model_validate(
        {
            **FloatOut.facts(row),
            "code": CodeState.of(code) if code else None,
            "held": [ChargeHeld(charge=hold.reason, amount=MoneyOut.of(hold.amount)) for hold in holds],
            "attempts": [AttemptOut.of(attempt) for attempt in attempts],
            "saga": SagaNow.of(status) if status else None,
        }
    )


@router.get("/{purchase_id}/events", responses=problems(404), summary="Its timeline, oldest first")
async def list_float_purchase_events(
    purchase_id: PurchaseId, services: ServicesDep, principal: FloatReader
) -> Timeline:
    return await PURCHASES.timeline(services, principal, purchase_id)


@router.post(
    "/{purchase_id}/resolve",
    response_model=CommandTakenOut,
    responses=problems(404, 409, *WRITES),
    summary="Decide, with evidence, what became of a movement at the bank",
)
async def resolve_float_purchase(
    purchase_id: PurchaseId, wanted: FloatResolution, services: ServicesDep, principal: FloatResolver, once: Keyed
) -> Response:
    """One person says, another approves: 409 `four_eyes` for the proposer's own approval, 422 if a fact is missing."""
    row = await PURCHASES.find(services, principal, purchase_id)
    async with services.database.transaction() as session:
        attempts = await payouts.of_workflow(session, row.workflow_id)
        if wanted.reference and (not attempts or attempts[-1].reference != wanted.reference):
            raise Conflict("That is not the attempt that waits.", code="another_attempt", field="reference")
    verdict = Verdict.model_validate(wanted.model_dump())
    return await pages.decide(services, principal, once, PURCHASES, row, verdict)


@router.post(
    "/{purchase_id}/retry",
    response_model=CommandTakenOut,
    responses=problems(404, 409, *WRITES),
    summary="Go on at once instead of at the end of a wait",
)
async def retry_float_purchase(
    purchase_id: PurchaseId,
    services: ServicesDep,
    principal: FloatWriter,
    once: Idempotent,
    wanted: CommandIn | None = None,
) -> Response:
    row = await PURCHASES.find(services, principal, purchase_id)
    wish = RetryNow(actor=principal.id, note=wanted.note if wanted else "")
    return await pages.command(services, principal, once, PURCHASES, row, "retry", wish)


@router.post(
    "/{purchase_id}/cancel",
    response_model=CommandTakenOut,
    responses=problems(404, 409, *WRITES),
    summary="Stop it, if no money has moved",
)
async def cancel_float_purchase(
    purchase_id: PurchaseId,
    services: ServicesDep,
    principal: FloatWriter,
    once: Idempotent,
    wanted: CommandIn | None = None,
) -> Response:
    """Everything that is held goes back into the wallet."""
    row = await PURCHASES.find(services, principal, purchase_id)
    wish = RetryNow(actor=principal.id, note=wanted.note if wanted else "")
    return await pages.command(services, principal, once, PURCHASES, row, "cancel_request", wish)


async def _price(session: AsyncSession, partner: Partner, wanted: FloatWish) -> list[dict[str, Any]]:
    """What it costs now. Raises what forbids the purchase: another currency, no bank, float that the bank does not sell,
    no tariff."""
    amount = money_rules.in_currency_of(partner, wanted.amount)
    money_rules.bank_sells(await money_rules.bank_of(session, partner), wanted.operator)
    return await float_purchase.price(session, partner.id, amount, utc_now())


def _total(costs: list[dict[str, Any]], currency: str) -> Money:
    return Money(sum(line["amount_minor"] for line in costs), currency)
