"""Disbursements: claimed before their saga starts, kept in step with it, listed from here and never from Temporal."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.errors import Conflict
from core.ids import new_id
from models import kinds
from models.messages.lending.loan_disbursement import DisbursementRequest
from models.messages.saga.policies import DisbursementPolicy
from models.tables.lending.loan_disbursement import UNPAID_ENDS, Disbursement
from models.tables.saga.payout_attempt import PayoutAttempt
from store.lending import paid_twice
from store.platform import claims
from store.saga import cases, saga_rows, timeline

KIND: Final = kinds.named("loan-disbursement")
# What follows when a payment that was recorded as failed was made after all (inbound/payout_reports.py).
look_for_second_payment: Final = paid_twice.look
BEFORE_PAYING: Final = ("requested", "waiting_funds", "waiting_limit", "waiting_date")
NEVER_LEFT: Final = ("not_sent", "void")  # of an attempt's states: nothing was sent under its reference


@dataclass(frozen=True, slots=True)
class Claim:
    """A loan's living disbursement; `created` if this call made it."""

    disbursement_id: str
    workflow_id: str
    round: int
    created: bool


def workflow_id_of(partner_id: str, loan_id: int, number: int) -> str:
    """`loan-disbursement/<partner>/<loan>`; a loan that ended unpaid and is tried anew gets `….2`, `….3`, and so does one
    with the number that another tenant of this partner had used before."""
    return KIND.workflow_id(f"{partner_id}/{loan_id}" + (f".{number}" if number > 1 else ""))


async def claim(
    session: AsyncSession,
    *,
    partner_id: str,
    loan_id: int,
    currency: str,
    source: str,
    requested_by: str,
    again_after: frozenset[str],
    policy: DisbursementPolicy | None = None,
    agreed: bool = False,
) -> Claim:
    """The one living disbursement of a loan, made if there is none. Safe under any number of simultaneous callers:
    the partial unique index decides, and everyone gets the winner's. A loan is known by the tenant whose books it is in,
    whichever partner asks: one that another partner pays or has paid raises Conflict (code "loan_paid_elsewhere").

    Raises what `claims.tenant_of` does. A loan whose last disbursement ended in one of `again_after` ("failed", or
    "withdrawn:loan_not_approved") gets a new round; one that ended otherwise unpaid raises Conflict (code "ended_unpaid");
    one that was paid is returned as it is. Once anything was sent for the loan, a new round needs two people (`agreed`),
    else Conflict (code "sent_before").
    """
    tenant_key = await claims.tenant_of(session, partner_id)
    for _ in range(3):  # a row may end between our insert and our read; then there is room for a new one
        last = await _last_in(session, tenant_key, loan_id)
        if last is not None and last.partner_id != partner_id and last.stage not in UNPAID_ENDS:
            raise Conflict("This loan was paid, or is being paid, by another partner.", code="loan_paid_elsewhere")
        if last is not None and last.stage not in UNPAID_ENDS:
            return Claim(last.id, last.workflow_id, last.round, created=False)
        if last is not None and not again_after & {last.stage, f"{last.stage}:{last.reason_code}"}:
            raise Conflict(
                f"The loan's last disbursement ended as {last.stage} ({last.reason_code}).",
                code="ended_unpaid",
                disbursement_id=last.id,
            )
        if last is not None and await cases.is_open(session, last.workflow_id, "payout_contradiction"):
            # Reported as failed, then as paid: until a person has looked, another saga might pay the client twice.
            raise Conflict(
                "A report contradicts how the loan's last disbursement ended; close its case first.",
                code="contradiction_open",
                disbursement_id=last.id,
            )
        if last is not None and not agreed and await _was_ever_sent(session, tenant_key, loan_id):
            raise Conflict(
                "Money was sent for this loan before; a second person must agree to a new payout.",
                code="sent_before",
                disbursement_id=last.id,
            )
        round_ = last.round + 1 if last else 1
        now = utc_now()
        disbursement_id = new_id(KIND.id_prefix)
        workflow_id = await _free_workflow_id(session, partner_id, loan_id, round_)
        row = {
            "id": disbursement_id,
            "partner_id": partner_id,
            "tenant_key": tenant_key,
            "loan_id": loan_id,
            "round": round_,
            "workflow_id": workflow_id,
            "source": source,
            "requested_by": requested_by,
            "stage": "requested",
            "currency": currency,
            "paid_minor": 0,
            "receipts": [],
            "policy": policy.model_dump(mode="json") if policy else {},
            "created_at": now,
            "updated_at": now,
        }
        if await saga_rows.add(session, Disbursement, row):
            await timeline.write(session, workflow_id, "requested", f"Requested by {source}.", source=source)
            return Claim(disbursement_id, workflow_id, round_, created=True)
    raise Conflict("The loan's disbursement is changing hands; try again.", code="claim_contended")


async def request(session: AsyncSession, row: Disbursement) -> DisbursementRequest:
    """The saga's input, made of its row alone."""
    return DisbursementRequest(
        disbursement_id=row.id,
        partner_id=row.partner_id,
        loan_id=row.loan_id,
        workflow_id=row.workflow_id,
        policy=DisbursementPolicy.model_validate(row.policy),
    )


async def last_of(session: AsyncSession, partner_id: str, loan_id: int) -> Disbursement | None:
    """The last round of this loan, whichever partner's it was. Raises what `claims.tenant_of` does."""
    return await _last_in(session, await claims.tenant_of(session, partner_id), loan_id)


async def _last_in(session: AsyncSession, tenant_key: str, loan_id: int) -> Disbursement | None:
    found = await session.exec(
        select(Disbursement)
        .where(Disbursement.tenant_key == tenant_key, Disbursement.loan_id == loan_id)
        .order_by(col(Disbursement.round).desc())
        .limit(1)
    )
    return found.first()


async def _was_ever_sent(session: AsyncSession, tenant_key: str, loan_id: int) -> bool:
    """Whether any round of this loan has an attempt that is not known to have stayed here: one that failed may have been
    declared so by people."""
    found = await session.exec(
        select(PayoutAttempt.reference)
        .join(Disbursement, col(Disbursement.workflow_id) == col(PayoutAttempt.workflow_id))
        .where(
            Disbursement.tenant_key == tenant_key,
            Disbursement.loan_id == loan_id,
            col(PayoutAttempt.state).not_in(NEVER_LEFT),
        )
        .limit(1)
    )
    return found.first() is not None


async def _free_workflow_id(session: AsyncSession, partner_id: str, loan_id: int, round_: int) -> str:
    number = round_
    while True:
        workflow_id = workflow_id_of(partner_id, loan_id, number)
        taken = await session.exec(select(Disbursement.id).where(Disbursement.workflow_id == workflow_id))
        if taken.first() is None:
            return workflow_id
        number += 1


async def known_loans(session: AsyncSession, partner_id: str, loan_ids: list[int]) -> dict[int, str]:
    """The stage of the last round of each of these loans that has one, whichever partner's it is. Raises what
    `claims.tenant_of` does."""
    tenant_key = await claims.tenant_of(session, partner_id)
    found = await session.exec(
        select(Disbursement.loan_id, Disbursement.stage)
        .where(Disbursement.tenant_key == tenant_key, col(Disbursement.loan_id).in_(loan_ids))
        .order_by(col(Disbursement.round))
    )
    return dict(found.all())


async def paid_out_on(session: AsyncSession, partner_id: str, product_id: int, day: date, *, without: str) -> int:
    """Minor units promised or paid on a day under a product, without one disbursement (the one that asks)."""
    total = await session.exec(
        select(func.coalesce(func.sum(Disbursement.amount_minor), 0)).where(
            Disbursement.partner_id == partner_id,
            Disbursement.product_id == product_id,
            Disbursement.reserved_on == day,
            col(Disbursement.stage).not_in([*UNPAID_ENDS, *BEFORE_PAYING[1:]]),
            Disbursement.id != without,
        )
    )
    return int(total.one() or 0)
