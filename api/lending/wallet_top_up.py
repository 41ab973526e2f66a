"""Wallet top-ups: announced by a code or a prompt, read, waited for, commanded."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import TopUpReader, TopUpResolver, TopUpWriter
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent, Keyed
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.http.values import id_pattern
from api.lending import money_rules
from api.lending.wallet_top_up_schemas import PayTo, TopUpAccepted, TopUpDetail, TopUpNew, TopUpOut, TopUpResolution
from api.saga import commands, pages
from api.saga.pages import Resource, Wait
from api.saga.schemas import CommandIn, CommandTakenOut, PaymentOut, PromptOut, SagaNow, Timeline
from core.errors import NotFound
from core.ids import TOP_UP
from models.messages.lending.wallet_top_up import TopUpStage
from models.messages.saga.decisions import RetryNow, Verdict
from models.tables.lending.wallet_top_up import TopUp
from models.tables.platform.partner import Partner
from store.lending import wallet_top_up
from store.platform import partners
from store.saga import reads, saga_rows

router = APIRouter(prefix="/api/v1/top-ups", tags=["top-ups"], dependencies=KNOWN_PARAMETERS)

TopUpId = Annotated[str, Path(pattern=id_pattern(TOP_UP))]
_TOP_UPS: Final = Resource[TopUp](
    noun="top-up",
    path=router.prefix,
    acts="top_ups",
    field="top_up_id",
    read=lambda session, row_id: reads.row(session, TopUp, row_id),
)


@router.post(
    "",
    status_code=202,
    response_model=TopUpAccepted,
    responses=problems(404, 409, *WRITES),
    summary="Announce money for the wallet",
)
async def create_top_up(wanted: TopUpNew, services: ServicesDep, principal: TopUpWriter, once: Keyed) -> Response:
    """The payer writes `reference` on the bank transfer to `pay_to`: what arrives under it is credited, once, whatever its
    amount. With a phone its holder is prompted instead."""

    async def make(session: AsyncSession, partner: Partner) -> tuple[TopUp, TopUpAccepted]:
        amount = money_rules.in_currency_of(partner, wanted.amount)
        bank = await money_rules.bank_of(session, partner)
        phone = None
        if wanted.phone is not None:
            money_rules.bank_prompts(bank)
            phone = money_rules.phone_of(wanted.phone, partner.country)
            money_rules.can_be_prompted(amount, phone)
        row = await wallet_top_up.begin(
            session, partner_id=partner.id, amount=amount, msisdn=phone, requested_by=principal.id
        )
        return row, TopUpAccepted.model_validate({**TopUpOut.facts(row), "pay_to": await _pay_to(session, row)})

    return await pages.accept(services, principal, once, _TOP_UPS, principal.for_partner(wanted.partner_id), make)


@router.get("", responses=problems(404), summary="List top-ups, newest first")
async def list_top_ups(
    services: ServicesDep,
    principal: TopUpReader,
    partner_id: PartnerFilter = None,
    stage: TopUpStage | None = None,
    cursor: IdCursor = None,
    limit: Limit = 50,
) -> Page[TopUpOut]:
    if partner_id is not None:
        principal.visible(partner_id)
    async with services.database.transaction() as session:
        rows = await saga_rows.page(
            session, TopUp, partner_id=partner_id or principal.partner_id, stage=stage, before=cursor, limit=limit + 1
        )
    return page(rows, limit, TopUpOut.of, lambda row: row.id)


@router.get("/{top_up_id}", responses=problems(404), summary="One top-up; `wait` for its end")
async def get_top_up(
    top_up_id: TopUpId, request: Request, services: ServicesDep, principal: TopUpReader, wait: Wait = 0
) -> TopUpDetail:
    row = await _TOP_UPS.wait_for(services, principal, top_up_id, request, wait)
    status = await commands.ask_status(services, row)
    async with services.database.transaction() as session:
        payment = await reads.payment(session, row.incoming_id)
        prompts = await reads.prompts(session, row.workflow_id)
        pay_to = await _pay_to(session, row)
    return TopUpDetail.model_validate(
        {
            **TopUpOut.facts(row),
            "pay_to": pay_to,
            "payment": PaymentOut.of(payment) if payment else None,
            "prompts": [PromptOut.of(prompt) for prompt in prompts],
            "saga": SagaNow.of(status) if status else None,
        }
    )


@router.get("/{top_up_id}/events", responses=problems(404), summary="Its timeline, oldest first")
async def list_top_up_events(top_up_id: TopUpId, services: ServicesDep, principal: TopUpReader) -> Timeline:
    return await _TOP_UPS.timeline(services, principal, top_up_id)


@router.post(
    "/{top_up_id}/resolve",
    response_model=CommandTakenOut,
    responses=problems(404, 409, *WRITES),
    summary="Decide, with evidence, whose money it is",
)
async def resolve_top_up(
    top_up_id: TopUpId, wanted: TopUpResolution, services: ServicesDep, principal: TopUpResolver, once: Keyed
) -> Response:
    """409 if the decision does not fit the stage, `four_eyes` if its own proposer approves; 422 if a fact is missing."""
    row = await _TOP_UPS.find(services, principal, top_up_id)
    verdict = Verdict.model_validate(wanted.model_dump())
    return await pages.decide(services, principal, once, _TOP_UPS, row, verdict)


@router.post(
    "/{top_up_id}/retry",
    response_model=CommandTakenOut,
    responses=problems(404, 409, *WRITES),
    summary="Go on at once instead of at the end of a wait",
)
async def retry_top_up(
    top_up_id: TopUpId, services: ServicesDep, principal: TopUpWriter, once: Idempotent, wanted: CommandIn | None = None
) -> Response:
    row = await _TOP_UPS.find(services, principal, top_up_id)
    wish = RetryNow(actor=principal.id, note=wanted.note if wanted else "")
    return await pages.command(services, principal, once, _TOP_UPS, row, "retry", wish)


@router.post(
    "/{top_up_id}/cancel",
    response_model=CommandTakenOut,
    responses=problems(404, 409, *WRITES),
    summary="Stop it, if nothing came in and nobody was asked",
)
async def cancel_top_up(
    top_up_id: TopUpId, services: ServicesDep, principal: TopUpWriter, once: Idempotent, wanted: CommandIn | None = None
) -> Response:
    """Money that names its code and comes later is credited all the same."""
    row = await _TOP_UPS.find(services, principal, top_up_id)
    wish = RetryNow(actor=principal.id, note=wanted.note if wanted else "")
    return await pages.command(services, principal, once, _TOP_UPS, row, "cancel_request", wish)


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
