"""Relays: asked for with a payer or without one. What every saga offers is added by `saga_routes`."""

from typing import Annotated, Any, Final

from fastapi import Depends, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal, need
from api.http.dependencies import ServicesDep
from api.http.idempotency import Keyed
from api.http.openapi import WRITES, problems
from api.saga.accepting import accept
from api.saga.money_rules import in_currency_of, phone_of
from api.saga.resource import Resource, Words
from api.saga.routes import saga_routes
from api.saga.schemas import AttemptOut, PaymentOut, PromptOut
from api.toys.relay_schemas import PayTo, RelayAccepted, RelayDetail, RelayNew, RelayOut, RelayResolution
from models.messages.connections.tin import TinSettings
from models.messages.toys.relay import RelayStage
from models.tables.platform.partner import Partner
from models.tables.toys.relay import Relay
from store.platform import partners
from store.saga import payouts, reads
from store.toys import relay
from store.toys.relay import KIND

RelayWriter = Annotated[Principal, Depends(need(KIND.scope("write")))]


async def _detail(session: AsyncSession, row: Relay) -> dict[str, Any]:
    payment = await reads.payment(session, row.incoming_id)
    return {
        "payment": PaymentOut.of(payment) if payment else None,
        "prompts": [PromptOut.of(prompt) for prompt in await reads.prompts(session, row.workflow_id)],
        "attempts": [AttemptOut.of(attempt) for attempt in await payouts.of_workflow(session, row.workflow_id)],
    }


RELAYS: Final = Resource[Relay](
    kind=KIND,
    id_field="relay_id",
    stage=RelayStage,
    out=RelayOut,
    detail_out=RelayDetail,
    detail=_detail,
    decision=RelayResolution,
    words=Words(
        one="relay",
        many="relays",
        resolve="Decide, with evidence, what became of a movement of its money",
        cancel="Stop it, if nothing came in and nobody was prompted",
        cancel_notes="Money that names its code and comes later goes back to whom it came from.",
    ),
)
router = saga_routes(RELAYS)


@router.post(
    "",
    status_code=202,
    response_model=RelayAccepted,
    responses=problems(404, 409, *WRITES),
    summary="Pass money on from one person to another",
)
async def create_relay(wanted: RelayNew, services: ServicesDep, principal: RelayWriter, once: Keyed) -> Response:
    """What comes in is passed on once, whatever its amount; if that is known to have failed, it goes back to its payer."""

    async def make(session: AsyncSession, partner: Partner) -> tuple[Relay, RelayAccepted]:
        tin = TinSettings.model_validate((await partners.connection(session, partner.id, "tin")).settings)
        row = await relay.begin(
            session,
            partner_id=partner.id,
            amount=in_currency_of(partner, wanted.amount),
            recipient=phone_of(wanted.recipient, partner.country, "recipient"),
            payer=phone_of(wanted.payer, partner.country, "payer") if wanted.payer else None,
            requested_by=principal.id,
        )
        pay_to = PayTo(account=tin.account) if row.method == "code" else None
        return row, RelayAccepted.model_validate({**RelayOut.facts(row), "pay_to": pay_to})

    return await accept(services, principal, once, RELAYS, wanted, make)
