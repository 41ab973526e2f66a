"""Money that a person of the platform books into a wallet: an incoming payment like any other, recorded, claimed, credited
once, whatever announces it before or afterwards."""

from dataclasses import dataclass
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal
from api.http.dependencies import Services
from api.lending.wallets_schemas import CreditIn
from api.operations import approving
from api.operations.acts import Act
from core.clock import utc_now
from core.errors import Conflict, InvalidRequest
from core.money import Money
from ledger import chart
from ledger.balances import balance
from ledger.posting import post
from ledger.transfers import Post
from models.messages.connections.bank import BankSettings
from models.messages.saga.arrived_payments import AnnouncedPayment
from models.tables.lending.wallet_top_up import TopUp
from models.tables.platform.approval import ApprovalRequest
from models.tables.platform.partner import Partner
from store.lending import wallet_top_up
from store.platform import approvals, audit, partner_admin, partners
from store.saga import incoming, saga_rows

CREDIT: Final = "wallets.credit"
_REASON: Final = "admin credit"


@dataclass(frozen=True, slots=True)
class Booked:
    """The credit's top-up and the wallet after it; `new` is False for one that was booked before."""

    row: TopUp
    reference: str
    balance: Money
    available: Money
    new: bool


async def book_or_ask(
    session: AsyncSession, principal: Principal, partner: Partner, wanted: CreditIn
) -> Booked | ApprovalRequest:
    """Booked, where that is one person's to do or was done before; else the request for another's approval. Raises as `book`
    does, at once, and what `approving.propose` raises."""
    alone = await approvals.needed(session, CREDIT, wanted.amount.money) == 0
    async with session.begin_nested() as tried:
        booked = await book(session, partner, wanted, by=principal.id)
        if booked.new and not alone:
            await tried.rollback()
    if alone and booked.new:
        await _record(session, principal.id, partner.id, wanted, booked)
    if alone or not booked.new:
        return booked
    content = wanted.model_dump(mode="json")
    request = await approving.propose(
        session, principal, CREDIT, subject=f"{partner.id}/{wanted.reference.upper()}", partner_id=partner.id,
        content=content, amount=wanted.amount.money,
        evidence=wanted.note or f"The bank's transaction {wanted.reference}.",
    )  # fmt: skip
    if request.content["amount"] != content["amount"]:
        raise Conflict(
            "This reference waits for approval with another amount; reject that first.", code="proposed_otherwise",
            field="reference", approval_id=request.id,
        )  # fmt: skip
    return request


async def book(session: AsyncSession, partner: Partner, wanted: CreditIn, *, by: str) -> Booked:
    """All of it in the caller's transaction; whether others must agree is the caller's to ask.

    Raises InvalidRequest ("currency_differs"); Conflict "reference_reused" for a reference that has another amount,
    "reference_taken" for a transaction that the bank has announced: its own top-up decides about it.
    """
    if wanted.amount.currency != partner.currency:
        raise InvalidRequest(
            f"The wallet's currency is {partner.currency}.", code="currency_differs", field="amount.currency"
        )
    wallet = chart.partner_wallet(partner.id, partner.currency)
    bank = await partner_admin.find_connection(session, partner.id, "bank")
    account = BankSettings.model_validate(bank.settings).wallet_account if bank else ""
    told = AnnouncedPayment(
        partner_id=partner.id, provider="bank", external_id=wanted.reference, account=account,
        amount=wanted.amount.money, reference=wanted.note, happened_at=utc_now(), channel="admin",
    )  # fmt: skip
    try:
        payment = await incoming.record(session, told)
    except Conflict:
        raise Conflict(
            "This reference was booked with another amount.", code="reference_reused", field="reference"
        ) from None
    if payment.claimed_by is not None:
        holder = await saga_rows.of_workflow(session, payment.claimed_by)
        assert isinstance(holder, TopUp), payment.claimed_by
        if holder.method != "admin":
            raise Conflict(
                "The bank has announced this transaction; its top-up decides about it.", code="reference_taken",
                field="reference", top_up_id=holder.id,
            )  # fmt: skip
        now = await balance(session, wallet)
        return Booked(holder, payment.external_id, now.posted, now.available, new=False)
    row = await wallet_top_up.by_admin(session, payment, requested_by=by)
    await incoming.claim(session, payment.id, row.workflow_id)
    (posted,) = await post(
        session,
        Post(
            f"incoming/{payment.id}:credit",
            debit=chart.bank_account(account, partner.currency) if account else chart.bank_funding(partner.currency),
            credit=wallet,
            amount=wanted.amount.money,
            reason=_REASON,
            group=row.workflow_id,
            note=wanted.note or f"bank transaction {payment.external_id}",
        ),
    )
    after = posted.balance_of(wallet)
    return Booked(row, payment.external_id, after.posted, after.available, new=True)


async def _approved(session: AsyncSession, services: Services, request: ApprovalRequest) -> None:
    """Raises as `book` does: what the bank has announced meanwhile is not booked a second time."""
    assert request.partner_id is not None
    partner = await partners.get(session, request.partner_id)
    wanted = CreditIn.model_validate(request.content)
    booked = await book(session, partner, wanted, by=request.requested_via)
    if booked.new:
        await _record(session, request.requested_via, partner.id, wanted, booked, approval_id=request.id)


async def _record(
    session: AsyncSession, actor: str, partner_id: str, wanted: CreditIn, booked: Booked, **more: str
) -> None:
    said = wanted.model_dump(mode="json")
    after = {**said, "reference": booked.reference, "top_up_id": booked.row.id, **more}
    await audit.write(session, actor=actor, action=CREDIT, subject=partner_id, after=after)


ACTS: Final = (
    Act(
        CREDIT, "Money that is said to have arrived is booked into a wallet.", "wallets:credit",
        carry_out=_approved, house_only=True, alone_allowed=True,
    ),
)  # fmt: skip
