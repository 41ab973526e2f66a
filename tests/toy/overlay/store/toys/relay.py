"""Relays: asked for by a partner, or made for a payment that came of its own accord."""

import re
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import new_id, payer_code
from core.money import Money
from core.msisdn import Msisdn
from models import kinds
from models.messages.saga.policies import PromptPolicy
from models.messages.toys.relay import RelayPolicy, RelayRequest
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.toys.relay import Relay
from store.platform import partners
from store.saga import incoming, prompts, saga_rows, timeline

KIND: Final = kinds.named("relay")
_CODE_LETTER: Final = "R"
# Our code as a whole word: nothing else is evidence of what a payer meant.
_CODE: Final = re.compile(rf"(?<![A-Z0-9])KV{_CODE_LETTER}[0-9A-HJKMNP-TV-Z]{{8}}(?![A-Z0-9])")


async def begin(
    session: AsyncSession,
    *,
    partner_id: str,
    amount: Money,
    recipient: Msisdn,
    payer: Msisdn | None,
    requested_by: str,
    policy: RelayPolicy | None = None,
) -> Relay:
    """A relay whose payer is prompted, or pays under the code that it is given here."""
    row = _row(partner_id, "prompt" if payer else "code", amount.minor, amount.currency, requested_by) | {
        "code": payer_code(_CODE_LETTER), "msisdn": payer and payer.e164, "recipient": recipient.e164,
        "policy": policy.model_dump(mode="json") if policy else {},
    }  # fmt: skip
    return await _written(session, row, f"{amount} is to be passed on to {recipient.masked}.")


async def of_incoming(session: AsyncSession, payment: IncomingPayment) -> Relay:
    """The one relay that was started by this payment, made if there is none. It is for whoever's number is all that the
    payer wrote, and for nobody otherwise."""
    existing = (await session.exec(select(Relay).where(Relay.incoming_id == payment.id))).first()
    if existing is not None:
        return existing
    partner = await partners.get(session, payment.partner_id)
    recipient = Msisdn.read(payment.reference, partner.country)
    row = _row(payment.partner_id, "arrived", payment.amount_minor, payment.currency, "tin") | {
        "incoming_id": payment.id, "receipt": payment.external_id, "recipient": recipient and recipient.e164,
    }  # fmt: skip
    return await _written(session, row, f"A payment came of its own accord, receipt {payment.external_id}.")


async def waiting_for(session: AsyncSession, payment: IncomingPayment) -> Relay | None:
    """The living relay whose code the payer named."""
    codes = sorted(set(_CODE.findall(payment.reference.upper())))
    named = list(await session.exec(select(Relay).where(col(Relay.code).in_(codes), col(Relay.ended_at).is_(None))))
    ours = [row for row in named if row.partner_id == payment.partner_id and row.currency == payment.currency]
    return ours[0] if len(ours) == 1 else None


async def request(session: AsyncSession, row: Relay) -> RelayRequest:
    """The saga's input, made of its row alone."""
    prompted = row.method == "prompt"
    return RelayRequest(
        relay_id=row.id,
        partner_id=row.partner_id,
        workflow_id=row.workflow_id,
        amount=row.amount,
        code=row.code,
        recipient=Msisdn(row.recipient) if row.recipient else None,
        prompt=prompts.instruction(row, row.msisdn, row.code, row.amount, "tin", "Relay") if prompted else None,
        arrived=await incoming.arrived_by(session, row.incoming_id) if row.began_by_payment else None,
        policy=RelayPolicy.model_validate(row.policy),
    )


def prompt_policy(row: Relay) -> PromptPolicy:
    return RelayPolicy.model_validate(row.policy).prompt


def _row(partner_id: str, method: str, amount_minor: int, currency: str, requested_by: str) -> dict[str, Any]:
    now, row_id = utc_now(), new_id(KIND.id_prefix)
    return {
        "id": row_id, "partner_id": partner_id, "workflow_id": KIND.workflow_id(row_id), "requested_by": requested_by,
        "stage": "requested", "method": method, "currency": currency, "amount_minor": amount_minor, "policy": {},
        "created_at": now, "updated_at": now,
    }  # fmt: skip


async def _written(session: AsyncSession, row: dict[str, Any], text: str) -> Relay:
    await saga_rows.add(session, Relay, row)
    await timeline.write(session, row["workflow_id"], "requested", text)
    made = await session.get(Relay, row["id"])
    assert made is not None
    return made
