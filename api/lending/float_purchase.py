"""Float purchases: priced and agreed to. What every saga offers is added by `saga_routes`; the one-time code is in
`float_codes.py`."""

from typing import Annotated, Any, Final

from fastapi import Depends, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal, need
from api.http.dependencies import ServicesDep
from api.http.idempotency import Keyed
from api.http.openapi import WRITES, problems
from api.http.values import MoneyOut
from api.lending import money_rules
from api.lending.float_purchase_schemas import (
    CodeState,
    CostOut,
    FloatDetail,
    FloatNew,
    FloatOut,
    FloatQuote,
    FloatQuoteRequest,
    FloatResolution,
)
from api.saga.accepting import accept
from api.saga.money_rules import in_currency_of
from api.saga.resource import Resource, Words
from api.saga.routes import saga_routes
from api.saga.schemas import AttemptOut, ChargeHeld
from core.clock import utc_now
from core.errors import Conflict
from core.money import Money
from ledger import chart
from ledger.balances import balance, open_holds
from models.messages.lending.float_purchase import FloatStage
from models.tables.lending.float_purchase import FloatPurchase
from models.tables.platform.partner import Partner
from store.lending import float_purchase
from store.lending.float_purchase import KIND
from store.platform import partners
from store.saga import payouts, reads

FloatWriter = Annotated[Principal, Depends(need(KIND.scope("write")))]


async def _detail(session: AsyncSession, row: FloatPurchase) -> dict[str, Any]:
    code = await reads.newest_code(session, row.workflow_id)
    holds = await open_holds(session, workflow_id=row.workflow_id)
    return {
        "code": CodeState.of(code) if code else None,
        "held": [ChargeHeld(charge=hold.reason, amount=MoneyOut.of(hold.amount)) for hold in holds],
        "attempts": [AttemptOut.of(attempt) for attempt in await payouts.of_workflow(session, row.workflow_id)],
    }


PURCHASES: Final = Resource[FloatPurchase](
    kind=KIND,
    id_field="purchase_id",
    stage=FloatStage,
    out=FloatOut,
    detail_out=FloatDetail,
    detail=_detail,
    decision=FloatResolution,
    words=Words(
        one="float purchase",
        many="float purchases",
        resolve="Decide, with evidence, what became of a movement at the bank",
        resolve_notes="One person says, another approves: 409 `four_eyes` for the proposer's own approval, 422 if a fact is "
        "missing.",
        cancel="Stop it, if no money has moved",
        cancel_notes="Everything that is held goes back into the wallet.",
    ),
)
router = saga_routes(PURCHASES)


@router.post("/quotes", responses=problems(404, "conflict", *WRITES), summary="What float would cost now")
async def quote_float(wanted: FloatQuoteRequest, services: ServicesDep, principal: FloatWriter) -> FloatQuote:
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
    responses=problems(404, "price_changed", "no_authorised_contact", "idempotency_key_reused", *WRITES),
    summary="Buy float at the price that was shown",
)
async def create_float_purchase(
    wanted: FloatNew, services: ServicesDep, principal: FloatWriter, once: Keyed
) -> Response:
    """Float and fees are held in the wallet, and the partner's authorised people get a one-time code. If the price is no
    longer `expected_total`, the answer is 409 `price_changed`, whose facts are the new one."""

    async def make(session: AsyncSession, partner: Partner) -> tuple[FloatPurchase, FloatOut]:
        costs = await _price(session, partner, wanted)
        expected = in_currency_of(partner, wanted.expected_total, "expected_total")
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

    return await accept(services, principal, once, PURCHASES, wanted, make)


async def _price(session: AsyncSession, partner: Partner, wanted: FloatQuoteRequest) -> list[dict[str, Any]]:
    """What it costs now. Raises what forbids the purchase: another currency, no bank, float that the bank does not sell,
    no tariff."""
    amount = in_currency_of(partner, wanted.amount)
    money_rules.bank_sells(await money_rules.bank_of(session, partner), wanted.operator)
    return await float_purchase.price(session, partner.id, amount, utc_now())


def _total(costs: list[dict[str, Any]], currency: str) -> Money:
    return Money(sum(line["amount_minor"] for line in costs), currency)
