"""The wallet's side of a float purchase: costs held, a one-time code sent, movements at the bank followed in the books."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.lending.wallet_notices import notify_if_low, shortfall
from activities.saga.records import end_row
from core.clock import utc_now
from core.crypto import CodeHasher, CredentialBox
from core.errors import Conflict, InvalidRequest, NotAllowed
from ledger import chart
from ledger.balances import balance, open_holds
from ledger.chart import Account
from ledger.posting import post
from ledger.transfers import Capture, Hold, Post
from ledger.transfers import Release as ReleaseHold
from models.messages.connections.bank import BankSettings
from models.messages.lending.float_purchase import (
    OPERATOR_NAMES,
    CodeSent,
    CostLine,
    EndFloat,
    FloatPlan,
    FloatRequest,
    HoldCosts,
    RecordMove,
    SendCode,
    SettleFloat,
    code_content,
)
from models.messages.saga.payouts import BankOrder
from models.tables.lending.float_purchase import FloatPurchase
from notices.outbox import notify_code, notify_partner
from store.database import Database
from store.lending import float_purchase
from store.platform import partners
from store.saga import one_time_codes, payouts, saga_rows, timeline


@dataclass(frozen=True)
class FloatPurchases:
    """Every method may be repeated: keys, and rows that an ended saga no longer changes."""

    database: Database
    hasher: CodeHasher
    box: CredentialBox
    top_up_url: str = ""

    @activity.defn(name="floats.hold_costs")
    async def hold_costs(self, order: HoldCosts) -> FloatPlan:
        """Holds the float and the fees. Raises InsufficientFunds, NotAllowed (partner suspended), NotFound (no bank
        connection), InvalidRequest ("no_authorised_contact"), Conflict ("already_ended")."""
        request = order.request
        async with self.database.transaction() as session:
            begun = await session.get(FloatPurchase, request.purchase_id)
            partner = await partners.at_step(session, request.partner_id, begun.stage if begun else "requested")
            bank = BankSettings.model_validate((await partners.connection(session, partner.id, "bank")).settings)
            await self._authorised(session, partner.id)
            row = await saga_rows.lock_living(session, FloatPurchase, request.purchase_id)
            if row is None:
                raise Conflict("This purchase has already ended.", code="already_ended")
            costs = float_purchase.cost_lines(row)
            await timeline.write(
                session, request.workflow_id, "held", f"{request.total} held in the wallet: float and fees.",
                amount=request.amount.amount, total=request.total.amount,
            )  # fmt: skip
            await saga_rows.change(session, request.workflow_id, stage="awaiting_code")
            wallet = chart.partner_wallet(partner.id, partner.currency)
            held = await post(
                session,
                *(
                    Hold(
                        key=line.hold_key,
                        debit=wallet,
                        credit=_goes_to(line, bank, partner.currency),
                        amount=line.amount,
                        reason=f"{line.item.replace('_', ' ')} (float purchase)",
                        workflow_id=request.workflow_id,
                        group=request.workflow_id,
                    )
                    for line in costs
                ),
            )
            available = held[-1].balance_of(wallet).available
            await notify_if_low(session, partner, request.workflow_id, available, top_up_url=self.top_up_url)
        return _plan(request, costs, bank)

    async def _authorised(self, session: AsyncSession, partner_id: str) -> None:
        contacts = await partners.contacts(session, partner_id)
        if not any(contact.role == "authorised" for contact in contacts):
            raise InvalidRequest(
                "The partner has no authorised contact who could confirm with a code.", code="no_authorised_contact"
            )

    @activity.defn(name="floats.send_code")
    async def send_code(self, order: SendCode) -> CodeSent:
        """Makes a code and sends it to every authorised contact by SMS and email. Only its keyed hash is kept, and the
        messages are stored sealed; a repeat of the step makes no second code."""
        request, policy = order.request, order.request.policy
        async with self.database.transaction() as session:
            contacts = [c for c in await partners.contacts(session, request.partner_id) if c.role == "authorised"]
            if not contacts:
                raise InvalidRequest("The partner has no authorised contact.", code="no_authorised_contact")
            code = f"{secrets.randbelow(1_000_000):06d}"
            content = code_content(request.amount, request.total, request.operator)
            expires_at = utc_now() + policy.code_lives
            is_new = await one_time_codes.add(
                session,
                request.workflow_id,
                order.number,
                self.hasher.hash(request.workflow_id, content, code),
                expires_at=expires_at,
                max_tries=policy.code_tries,
            )
            if is_new:
                await timeline.write(
                    session, request.workflow_id, f"code:{order.number}",
                    f"One-time code {order.number} sent to {len(contacts)} authorised people.",
                )  # fmt: skip
                await notify_code(
                    session, "float_code", key=f"{request.workflow_id}:code:{order.number}", contacts=contacts,
                    partner_id=request.partner_id, workflow_id=request.workflow_id,
                    facts={
                        "code": code, "amount": str(request.amount), "total": str(request.total),
                        "operator": OPERATOR_NAMES[request.operator], "purchase_id": request.purchase_id,
                        "minutes": str(max(1, policy.code_lives // timedelta(minutes=1))),
                    },
                    sealer=self.box, expires_at=expires_at,
                )  # fmt: skip
        return CodeSent(expires_at=expires_at, people=len(contacts))

    @activity.defn(name="floats.check_confirmation")
    async def check_confirmation(self, order: SendCode) -> None:
        """Raises NotAllowed (code "not_confirmed") unless the books say that the right code of this number was given: the
        message that came to the saga proves nothing by itself."""
        request = order.request
        async with self.database.transaction() as session:
            if not await one_time_codes.was_used(session, request.workflow_id, order.number):
                raise NotAllowed("The books know of no right code for this purchase.", code="not_confirmed")
            await timeline.write(session, request.workflow_id, "confirmed", "The right code was given.", tone="good")
            await saga_rows.change(session, request.workflow_id, stage="transferring")

    @activity.defn(name="floats.record_move")
    async def record_move(self, order: RecordMove) -> None:
        """The books follow a settled movement between our two accounts at the bank."""
        request, paid = order.request, order.paid
        there = order.step == "transfer"
        async with self.database.transaction() as session:
            connection = await partners.connection(session, request.partner_id, "bank")
            bank = BankSettings.model_validate(connection.settings)
            wallet_side = chart.bank_account(bank.wallet_account, paid.amount.currency)
            b2c_side = chart.bank_account(bank.b2c_account, paid.amount.currency)
            await payouts.finish(session, paid.reference, "paid", receipt=paid.receipt, paid_at=paid.paid_at)
            await timeline.write(
                session, request.workflow_id, f"{order.step}:done",
                f"The bank moved {paid.amount} {'to the B2C account' if there else 'back'}, {paid.receipt}.",
                tone="good" if there else "warning", reference=paid.reference, receipt=paid.receipt,
                resolved_by=paid.resolved_by or "provider",
            )  # fmt: skip
            if there:
                await saga_rows.change(session, request.workflow_id, stage="buying", transfer_reference=paid.receipt)
            else:
                await saga_rows.change(session, request.workflow_id, returned_reference=paid.receipt)
            await post(
                session,
                Post(
                    f"{request.workflow_id}:{order.step}:{paid.reference}",
                    debit=b2c_side if there else wallet_side,
                    credit=wallet_side if there else b2c_side,
                    amount=paid.amount,
                    reason="float transfer" if there else "float transfer returned",
                    happened_at=paid.paid_at,
                    group=request.workflow_id,
                    note=f"bank transaction {paid.receipt}",
                ),
            )

    @activity.defn(name="floats.settle")
    async def settle(self, order: SettleFloat) -> None:
        """Captures float and fees, ends the row, tells the partner."""
        request, purchase = order.request, order.purchase
        async with self.database.transaction() as session:
            if await saga_rows.lock_living(session, FloatPurchase, request.purchase_id) is None:
                return
            partner = await partners.get(session, request.partner_id)
            await payouts.finish(
                session, purchase.reference, "paid", receipt=purchase.receipt, paid_at=purchase.paid_at
            )
            await end_row(
                session,
                request.workflow_id,
                stage="completed",
                line="completed",
                text=f"The float is there, {purchase.receipt}; {request.total} captured. Done.",
                tone="good",
                resolution="the saga went on",
                facts={"receipt": purchase.receipt, "resolved_by": purchase.resolved_by or "provider"},
                purchase_reference=purchase.receipt,
            )
            captured = await post(
                session,
                *(
                    Capture(f"{line.hold_key}:capture", line.hold_key, happened_at=purchase.paid_at)
                    for line in order.plan.costs
                ),
            )
            wallet = chart.partner_wallet(partner.id, partner.currency)
            await notify_partner(
                session, "float_bought", key=f"{request.workflow_id}:bought",
                contacts=await partners.contacts(session, partner.id), partner_id=partner.id,
                workflow_id=request.workflow_id,
                facts={
                    "amount": str(request.amount), "charges": str(request.total - request.amount),
                    "total": str(request.total), "operator": OPERATOR_NAMES[request.operator], "receipt": purchase.receipt,
                    "balance": str(captured[-1].balance_of(wallet).available),
                },
            )  # fmt: skip

    @activity.defn(name="floats.end")
    async def end(self, order: EndFloat) -> None:
        """Nothing was bought: every open hold goes back, the row ends, the partner hears why unless it asked for it."""
        request = order.request
        async with self.database.transaction() as session:
            if await saga_rows.lock_living(session, FloatPurchase, request.purchase_id) is None:
                return
            partner = await partners.get(session, request.partner_id)
            for reference in order.failed_references:
                await payouts.finish(session, reference, "failed", code=order.code, detail=order.detail[:500])
            await end_row(
                session,
                request.workflow_id,
                stage=order.ending,
                line="ended",
                text=f"Ended without float: {order.detail}",
                tone="bad" if order.ending == "failed" else "warning",
                resolution=order.code,
                code=order.code,
                detail=order.detail,
            )
            if order.ending != "withdrawn":
                # The partner's own wallet, which nothing has left yet; a bank's account that holds too little fails later.
                is_short = order.code == "insufficient_funds" and order.ending == "refused"
                await notify_partner(
                    session, "float_failed", key=f"{request.workflow_id}:ended",
                    contacts=await partners.contacts(session, partner.id), partner_id=partner.id,
                    workflow_id=request.workflow_id,
                    facts={
                        "amount": str(request.amount), "operator": OPERATOR_NAMES[request.operator],
                        "reason_code": "wallet_short" if is_short else order.code,
                        **await shortfall(session, partner, request.total),
                        "returned": "yes",  # the saga ends here only once everything is back
                    },
                )  # fmt: skip
            holds = await open_holds(session, workflow_id=request.workflow_id)
            if holds:
                await post(session, *(ReleaseHold(f"{hold.key}:undo", hold.key) for hold in holds))
                left = await balance(session, chart.partner_wallet(partner.id, partner.currency))
                await notify_if_low(session, partner, request.workflow_id, left.available, top_up_url=self.top_up_url)


def _goes_to(line: CostLine, bank: BankSettings, currency: str) -> Account:
    """Where a cost line goes when it is captured. The float leaves our B2C account at the bank."""
    if line.item == "float":
        return chart.bank_account(bank.b2c_account, currency)
    return chart.bank_fees(currency) if line.item == "bank_transfer" else chart.processing_fees(currency)


def _plan(request: FloatRequest, costs: tuple[CostLine, ...], bank: BankSettings) -> FloatPlan:
    def transfer(source: str, source_name: str, account: str, name: str) -> BankOrder:
        return BankOrder(
            kind="bank_transfer", source_account=source, source_name=source_name, account=account, name=name
        )

    return FloatPlan(
        costs=costs,
        transfer=transfer(bank.wallet_account, bank.wallet_name, bank.b2c_account, bank.b2c_name),
        purchase=BankOrder(
            kind="float_purchase",
            source_account=bank.b2c_account,
            source_name=bank.b2c_name,
            account=bank.float_account,
            name=bank.float_name,
            operator=request.operator,
        ),
        transfer_back=transfer(bank.b2c_account, bank.b2c_name, bank.wallet_account, bank.wallet_name),
    )
