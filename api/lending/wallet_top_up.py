"""Wallet top-ups: announced by a code or a prompt. What every saga offers is added by `saga_routes`."""

from typing import Annotated, Any, Final

from fastapi import Depends, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal, need
from api.http.dependencies import ServicesDep
from api.http.idempotency import Keyed
from api.http.openapi import WRITES, problems
from api.lending import money_rules
from api.lending.wallet_top_up_schemas import PayTo, TopUpAccepted, TopUpDetail, TopUpNew, TopUpOut, TopUpResolution
from api.saga.accepting import accept
from api.saga.money_rules import in_currency_of, phone_of
from api.saga.resource import Resource, Words
from api.saga.routes import saga_routes
from api.saga.schemas import PaymentOut, PromptOut
from core.errors import NotFound
from models.messages.lending.wallet_top_up import TopUpStage
from models.tables.lending.wallet_top_up import TopUp
from models.tables.platform.partner import Partner
from store.lending import wallet_top_up
from store.lending.wallet_top_up import KIND
from store.platform import partners
from store.saga import reads

TopUpWriter = Annotated[Principal, Depends(need(KIND.scope("write")))]


async def _detail(session: AsyncSession, row: TopUp) -> dict[str, Any]:
    payment = await reads.payment(session, row.incoming_id)
    return {
        "pay_to": await _pay_to(session, row),
        "payment": PaymentOut.of(payment) if payment else None,
        "prompts": [PromptOut.of(prompt) for prompt in await reads.prompts(session, row.workflow_id)],
    }


TOP_UPS: Final = Resource[TopUp](
    kind=KIND,
    id_field="top_up_id",
    stage=TopUpStage,
    out=TopUpOut,
    detail_out=TopUpDetail,
    detail=_detail,
    decision=TopUpResolution,
    words=Words(
        one="top-up",
        many="top-ups",
        resolve="Decide, with evidence, whose money it is",
        cancel="Stop it, if nothing came in and nobody was asked",
        cancel_notes="Money that names its code and comes later is credited all the same.",
    ),
)
router = saga_routes(TOP_UPS)


@router.post(
    "",
    status_code=202,
    response_model=TopUpAccepted,
    responses=problems(404, "idempotency_key_reused", "request_running", *WRITES),
    summary="Announce money for the wallet",
)
async def create_top_up(wanted: TopUpNew, services: ServicesDep, principal: TopUpWriter, once: Keyed) -> Response:
    """The payer writes `reference` on the bank transfer to `pay_to`: what arrives under it is credited, once, whatever its
    amount. With a phone its holder is prompted instead."""

    async def make(session: AsyncSession, partner: Partner) -> tuple[TopUp, TopUpAccepted]:
        amount = in_currency_of(partner, wanted.amount)
        bank = await money_rules.bank_of(session, partner)
        phone = None
        if wanted.phone is not None:
            money_rules.bank_prompts(bank)
            phone = phone_of(wanted.phone, partner.country)
            money_rules.can_be_prompted(amount, phone)
        row = await wallet_top_up.begin(
            session, partner_id=partner.id, amount=amount, msisdn=phone, requested_by=principal.id
        )
        return row, TopUpAccepted.model_validate({**TopUpOut.facts(row), "pay_to": await _pay_to(session, row)})

    return await accept(services, principal, once, TOP_UPS, wanted, make)


async def _pay_to(session: AsyncSession, row: TopUp) -> PayTo | None:
    """Where the transfer goes; None for a prompt, and if the partner has no bank any more."""
    if row.method == "prompt":
        return None
    partner = await partners.get(session, row.partner_id)
    try:
        bank = await money_rules.bank_of(session, partner)
    except NotFound:
        return None
    return PayTo(account=bank.wallet_account, name=bank.wallet_name)
