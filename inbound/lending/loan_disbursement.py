"""Starts disbursements: the row in PostgreSQL first, then the workflow under its business id."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client
from temporalio.service import RPCError

from models.messages.lending.loan_disbursement import Source
from models.messages.saga.policies import DisbursementPolicy
from models.tables.lending.loan_disbursement import Disbursement
from store.database import Database
from store.lending import loan_disbursement
from store.platform import partners
from temporal.starts import start_row

log = structlog.get_logger()

# A loan that ended unpaid is tried anew by itself only if the reason has since gone away in Fineract or in our settings;
# a person may try any of them again.
AGAIN_BY_ITSELF: Final = frozenset(
    {"withdrawn:loan_not_approved", "withdrawn:disbursed_elsewhere", "refused:product_not_enabled"}
)
AGAIN_BY_PERSON: Final = frozenset({"withdrawn", "refused", "failed"})


# Written in the transaction of a disbursement's row, if it is made now: the audit of whoever asked.
Record = Callable[[AsyncSession, Disbursement], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Started:
    """A loan's disbursement; `created` if this call made it."""

    disbursement_id: str
    workflow_id: str
    created: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a transaction claimed, to be started once it is committed: the row, and whether it was made now."""

    row: Disbursement
    created: bool


async def claim_disbursement(
    session: AsyncSession,
    *,
    partner_id: str,
    loan_id: int,
    source: Source,
    requested_by: str,
    policy: DisbursementPolicy | None = None,
    record: Record | None = None,
    agreed: bool = False,
) -> Claimed:
    """The loan's row, made if there is none; one that is there keeps the policy it was made with. Raises NotFound or
    NotAllowed (partner), Conflict (code "ended_unpaid": its last saga ended and may not be repeated by this source;
    "sent_before": it may, once two people `agreed`)."""
    partner = await partners.active(session, partner_id)
    claim = await loan_disbursement.claim(
        session,
        partner_id=partner_id,
        loan_id=loan_id,
        currency=partner.currency,
        source=source,
        requested_by=requested_by,
        again_after=AGAIN_BY_PERSON if source == "api" else AGAIN_BY_ITSELF,
        policy=policy,
        agreed=agreed,
    )
    row = await session.get(Disbursement, claim.disbursement_id)
    assert row is not None
    if claim.created and record is not None:
        await record(session, row)
    return Claimed(row, claim.created)


async def start_claimed(client: Client, database: Database, claimed: Claimed) -> Started:
    """A Temporal that cannot be reached is only logged: the claim stands and is started later."""
    row = claimed.row
    if row.stage == "requested":
        try:
            await start_row(client, database, row)
        except RPCError as error:
            log.warning("saga_not_started_yet", workflow_id=row.workflow_id, status=error.status.name)
    return Started(row.id, row.workflow_id, claimed.created)


async def start_disbursement(
    client: Client,
    database: Database,
    *,
    partner_id: str,
    loan_id: int,
    source: Source,
    requested_by: str,
    policy: DisbursementPolicy | None = None,
    record: Record | None = None,
    agreed: bool = False,
) -> Started:
    """One saga per loan, however many callers and channels ask (P1, A3). Safe to call again at any point: a crash after
    the claim leaves a `requested` row, which the next call or the sweep starts. Raises as `claim_disbursement`."""
    async with database.transaction() as session:
        claimed = await claim_disbursement(
            session, partner_id=partner_id, loan_id=loan_id, source=source, requested_by=requested_by, policy=policy,
            record=record, agreed=agreed,
        )  # fmt: skip
    return await start_claimed(client, database, claimed)
