"""A loan in Fineract: re-read and checked before anything is paid, posted once after it was."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.clients.connections import Connections
from activities.lending.loan_look import NO_ALLOWED_DATE, PAYMENT_TYPE, REFUSES_US, look_before_paying, read_loan
from activities.lending.payable_loans import amount_to_pay
from activities.lending.waiting_loans import stand_in_line
from activities.lending.wallet_notices import WAITING_FUNDS, notify_if_low, notify_wallet_short
from activities.saga import failing_posts, funds
from core.clock import believed, local_date, utc_now
from core.errors import Busy, Conflict, InsufficientFunds, InvalidRequest, LimitExceeded, NotAllowed, Rejected
from core.money import Money
from core.msisdn import Msisdn
from ledger import chart
from ledger.posting import post
from ledger.transfers import Hold
from models.messages.connections.daraja import DarajaSettings
from models.messages.lending.loan_disbursement import (
    ChargeLine,
    DisbursementNamed,
    DisbursementPlan,
    PostDisbursal,
    Posted,
    RecheckLoan,
    Reserve,
)
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.lending.loan_product import LoanProduct
from models.tables.platform.partner import Partner
from providers.ports import DisbursalPost, Loan
from store.database import Database
from store.lending import loan_disbursement, loan_products
from store.platform import partners, tariffs
from store.saga import cases, funds_waits, payouts, saga_rows, timeline

# What is missing is time: code → the stage in which the saga waits.
_WAITS = {"daily_limit": "waiting_limit", NO_ALLOWED_DATE: "waiting_date"}
FEE_ACCOUNTS = {"mpesa_b2c": chart.mpesa_fees, "processing": chart.processing_fees, "sms": chart.sms_fees}


@dataclass(frozen=True)
class Loans:
    """Runs on Fineract's queue."""

    database: Database
    connections: Connections
    top_up_url: str = ""

    @activity.defn(name="loans.reserve")
    async def reserve(self, order: Reserve) -> DisbursementPlan:
        """Re-reads loan and client, checks the product's limits, holds the charges in the partner's wallet.

        Harmless to repeat: the holds have keys. Raises Conflict (loan no longer approved, or changed since the holds
        were made), InvalidRequest (phone, amount, tariff, a loan that one payout cannot serve), NotAllowed (product,
        client; a partner that was suspended before the saga did anything; code "no_allowed_date" with "opens_on" and
        "opens_at" while the day has not come), LimitExceeded (code "daily_limit"), InsufficientFunds.
        """
        request = order.request
        async with self.database.transaction() as session:
            row = await session.get(Disbursement, request.disbursement_id)
            partner = await partners.at_step(session, request.partner_id, row.stage if row else "requested")
            settings = DarajaSettings.model_validate(
                (await partners.connection(session, partner.id, "daraja")).settings
            )
            fineract = await self.connections.fineract(session, request.partner_id)
            early = {row.product_id for row in await loan_products.of_partner(session, partner.id) if row.may_go_early}
        try:
            loan = await read_loan(fineract, request.loan_id)
        except Busy as busy:
            await self._tell_if_refused(request, busy)
            raise
        facts = _facts(loan)
        try:
            client, msisdn = await look_before_paying(
                fineract, loan, partner.country, may_go_early=loan.product_id in early
            )
            facts |= {"client_name": client.name[:200], "client_phone": msisdn.e164}  # by which people look for it
            async with self.database.transaction() as session:
                return await self._reserve(session, request, partner, settings, loan, client.name, msisdn, facts)
        except InsufficientFunds as short:
            async with self.database.transaction() as session:
                if await stand_in_line(session, request.disbursement_id, short):
                    facts |= {"stage": "waiting_funds", "amount_minor": amount_to_pay(loan).minor}
                    await saga_rows.change(session, request.workflow_id, **facts)
                    await notify_wallet_short(
                        session, partner, request.workflow_id, short,
                        about={"account_no": loan.account_no, "amount": str(loan.approved_principal)},
                    )  # fmt: skip
            raise
        except Busy as busy:
            await self._tell_if_refused(request, busy)
            raise
        except Rejected as refusal:
            await self._note_refusal(request, facts, refusal)
            raise

    async def _tell_if_refused(self, request: DisbursementNamed, busy: Busy) -> None:
        """One case for all loans of a lender whose Fineract refuses our user: they wait, and go on by themselves."""
        if busy.code not in REFUSES_US:
            return
        async with self.database.transaction() as session:
            await saga_rows.change(session, request.workflow_id, reason_code=busy.code, reason=busy.detail[:500])
            await cases.open_case(
                session,
                key=f"core_banking_refused:{request.partner_id}",
                kind="core_banking_refused",
                summary=f"Loans wait, because Fineract refuses Kivuko's user: {busy.detail}"[:500],
                evidence={"code": busy.code, **{name: str(value) for name, value in busy.extra.items()}},
                partner_id=request.partner_id,
            )

    async def _note_refusal(self, request: DisbursementNamed, facts: dict[str, Any], refusal: Rejected) -> None:
        """Which loan it was, and what it waits for if waiting helps. It keeps no money from others meanwhile."""
        stage = _WAITS.get(refusal.code)
        async with self.database.transaction() as session:
            granted = await funds_waits.leave(session, request.workflow_id)
            if stage:
                facts |= {"stage": stage, "reason_code": refusal.code, "reason": refusal.detail[:500]}
            await saga_rows.change(session, request.workflow_id, **facts)
            if stage:
                key = ":".join([stage, *(refusal.extra[name] for name in ("why", "opens_on") if name in refusal.extra)])
                await timeline.write(
                    session, request.workflow_id, key, refusal.detail, tone="warning", **refusal.extra
                )  # fmt: skip
            await post(session, *funds.given_back(granted))

    @activity.defn(name="loans.recheck")
    async def recheck(self, order: RecheckLoan) -> None:
        """Whether what was planned is still to be paid, to the same phone. Raises as `reserve` does."""
        request, plan = order.request, order.plan
        async with self.database.transaction() as session:
            partner = await partners.get(session, request.partner_id)
            fineract = await self.connections.fineract(session, request.partner_id)
            product = await loan_products.get(session, partner.id, plan.product_id)
        loan = await read_loan(fineract, request.loan_id)
        early = product is not None and product.may_go_early
        _, msisdn = await look_before_paying(fineract, loan, partner.country, may_go_early=early)
        if amount_to_pay(loan) != plan.to_pay:
            raise Conflict("The loan is no longer the one that was planned to be paid.", code="loan_changed")
        if msisdn != plan.msisdn:
            raise Conflict("The client's phone has changed since the payout was planned.", code="phone_changed")

    async def _reserve(
        self,
        session: AsyncSession,
        request: DisbursementNamed,
        partner: Partner,
        settings: DarajaSettings,
        loan: Loan,
        client_name: str,
        msisdn: Msisdn,
        facts: dict[str, Any],
    ) -> DisbursementPlan:
        now = utc_now()
        today = local_date(now, partner.timezone)
        row = await saga_rows.lock_living(session, Disbursement, request.disbursement_id)
        if row is None:
            raise Conflict("This disbursement has already ended.", code="already_ended")
        to_pay = amount_to_pay(loan)
        product = check_product(await loan_products.get(session, partner.id, loan.product_id), to_pay)
        parts = split(to_pay, product, settings)
        charges = await self._charges(session, request, partner, parts, now)
        total = sum((line.amount for line in charges), Money.zero(to_pay.currency))
        await timeline.write(
            session,
            request.workflow_id,
            "reserved",
            f"Loan {loan.account_no} re-read: {to_pay} to pay; charges of {total} are held in the wallet.",
            amount=to_pay.amount,
            charges=total.amount,
        )
        # What all sagas of the partner share (a daily limit, the wallet) is locked last and held for a moment only.
        if product.daily_minor is not None:
            await self._check_daily_limit(session, product, to_pay, today, row.id)
        await saga_rows.change(
            session,
            request.workflow_id,
            stage="paying",
            **facts,
            amount_minor=to_pay.minor,
            principal_minor=loan.approved_principal.minor,
            charges_minor=total.minor,
            reserved_on=today,
        )
        wallet = chart.partner_wallet(partner.id, to_pay.currency)
        held = await post(
            session,
            *await funds.taken_over(session, request.workflow_id, partner.id, to_pay.currency),
            *(
                Hold(
                    key=line.hold_key,
                    debit=wallet,
                    credit=FEE_ACCOUNTS[line.charge](line.amount.currency),
                    amount=line.amount,
                    reason=f"{line.charge} charge of loan {loan.account_no}",
                    workflow_id=request.workflow_id,
                    group=request.workflow_id,
                )
                for line in charges
            ),
        )
        if held:
            available = held[-1].balance_of(wallet).available
            await notify_if_low(session, partner, request.workflow_id, available, top_up_url=self.top_up_url)
        if row.stage != "requested":  # it has waited
            await cases.close_of_workflow(
                session, request.workflow_id, [WAITING_FUNDS], resolution="the wallet has enough"
            )
        return DisbursementPlan(
            loan_id=loan.loan_id,
            account_no=loan.account_no,
            product_id=loan.product_id,
            product_name=loan.product_name,
            client_name=client_name,
            msisdn=msisdn,
            parts=parts,
            to_pay=to_pay,
            principal=loan.approved_principal,
            charges=charges,
            first_repayment_on=loan.next_repayment_on,
            approved_on=loan.approved_on,
        )

    async def _check_daily_limit(
        self, session: AsyncSession, product: LoanProduct, to_pay: Money, today: date, disbursement_id: str
    ) -> None:
        """One saga at a time counts against a product's limit. Raises LimitExceeded (code "daily_limit")."""
        limit = product.daily_minor
        await loan_products.get(session, product.partner_id, product.product_id, for_update=True)
        used = await loan_disbursement.paid_out_on(
            session, product.partner_id, product.product_id, today, without=disbursement_id
        )
        if limit is not None and used + to_pay.minor > limit:
            raise LimitExceeded("The product's daily limit is used up for today.", code="daily_limit")

    async def _charges(
        self,
        session: AsyncSession,
        request: DisbursementNamed,
        partner: Partner,
        parts: tuple[Money, ...],
        at: datetime,
    ) -> tuple[ChargeLine, ...]:
        """M-Pesa's fee once per part, processing and SMS once per loan; a fee of zero makes no line."""
        whole = sum(parts, Money.zero(parts[0].currency))
        per_loan = ["processing", "sms"]
        fees = await tariffs.fees(session, partner.id, whole, at, per_loan if len(parts) > 1 else list(FEE_ACCOUNTS))
        lines: list[ChargeLine] = []
        for number, part in enumerate(parts, start=1):
            fee = fees if len(parts) == 1 else await tariffs.fees(session, partner.id, part, at, ["mpesa_b2c"])
            key = f"{request.workflow_id}:hold:mpesa_b2c:{number}"
            lines.append(ChargeLine(charge="mpesa_b2c", amount=fee["mpesa_b2c"], hold_key=key, part=number))
        lines += [
            ChargeLine(charge=charge, amount=fees[charge], hold_key=f"{request.workflow_id}:hold:{charge}")
            for charge in per_loan
        ]
        return tuple(line for line in lines if line.amount.minor)

    @activity.defn(name="loans.post")
    async def post(self, order: PostDisbursal) -> Posted:
        """Books what was paid in Fineract. May be repeated at any time: the client re-reads the loan after every
        doubtful answer and finds our own transaction by its external id or receipt."""
        request, plan = order.request, order.plan
        paid = sum((payment.amount for payment in order.payments), Money.zero(plan.to_pay.currency))
        receipts = [payment.receipt for payment in order.payments]
        last = order.payments[-1]
        async with self.database.transaction() as session:
            fineract = await self.connections.fineract(session, request.partner_id)
            attempt = await payouts.get(session, last.reference)
            for payment in order.payments:
                await payouts.finish(
                    session, payment.reference, "paid", receipt=payment.receipt, paid_at=payment.paid_at
                )
                await timeline.write(
                    session, request.workflow_id, f"{payment.reference}:paid",
                    f"M-Pesa paid {payment.amount}, receipt {payment.receipt}.", tone="good",
                    reference=payment.reference, receipt=payment.receipt, resolved_by=payment.resolved_by or "provider",
                )  # fmt: skip
            await saga_rows.change(
                session, request.workflow_id, stage="posting", paid_minor=paid.minor, receipts=receipts
            )
        sent_at, slack = attempt.created_at if attempt else utc_now(), order.clock_slack
        async with failing_posts.shown(
            self.database, request.workflow_id, "post", "Fineract has not booked the disbursement yet"
        ):
            posted = await fineract.post_disbursal(
                DisbursalPost(
                    loan_id=request.loan_id,
                    # The client got the net amount; the books take the gross one, unless only a part could be paid.
                    amount=plan.principal if paid == plan.to_pay else paid,
                    paid_at=believed(last.paid_at, sent_at, back=slack, slack=slack),
                    not_before=plan.approved_on,
                    payment_type=PAYMENT_TYPE,
                    receipt=fit_receipts(receipts),
                    account=plan.msisdn.digits,
                    external_id=f"kvk-d-{request.disbursement_id}",
                    idempotency_key=f"kvk:d:{request.disbursement_id}:{order.key_number}",
                    note=f"M-Pesa {', '.join(receipts)}",
                )
            )
        return Posted(transaction_id=posted.transaction_id)


def check_product(product: LoanProduct | None, amount: Money) -> LoanProduct:
    """Raises NotAllowed or LimitExceeded if this product's loans are not ours to pay, or not at this amount."""
    if product is None or not product.enabled:
        raise NotAllowed("The loan's product is not enabled for disbursement.", code="product_not_enabled")
    if amount.currency != product.currency:
        raise InvalidRequest("The loan is in another currency than its product.", code="currency_differs")
    if amount.minor < product.min_minor:
        raise LimitExceeded(f"{amount} is below the product's minimum.", code="below_minimum")
    if amount.minor > product.max_minor and product.above_maximum == "refuse":
        raise LimitExceeded(f"{amount} is above the product's maximum.", code="above_maximum")
    if product.daily_minor is not None and amount.minor > product.daily_minor:
        raise LimitExceeded(f"{amount} alone is above the product's daily limit.", code="above_daily_limit")
    return product


def split(amount: Money, product: LoanProduct, settings: DarajaSettings) -> tuple[Money, ...]:
    """The amount in parts that M-Pesa takes and the product allows: full ones first, and no part below M-Pesa's minimum.

    Raises LimitExceeded if a payout is too small, or too large for a product that refuses to split."""
    smallest = Money.parse(settings.min_payout, amount.currency).minor
    provider_largest = Money.parse(settings.max_payout, amount.currency).minor
    largest = min(product.max_minor, provider_largest) // 100 * 100  # whole shillings
    if amount.minor < smallest:
        raise LimitExceeded(f"{amount} is below M-Pesa's minimum.", code="below_minimum")
    if amount.minor <= largest:
        return (amount,)
    if product.above_maximum == "refuse" or largest < 2 * smallest:
        raise LimitExceeded(f"{amount} is above the maximum per transaction.", code="above_maximum")
    full, rest = divmod(amount.minor, largest)
    parts = [largest] * full + ([rest] if rest else [])
    if parts[-1] < smallest:
        parts[-2] -= smallest - parts[-1]
        parts[-1] = smallest
    return tuple(Money(part, amount.currency) for part in parts)


def fit_receipts(receipts: list[str]) -> str:
    """Fineract keeps 50 characters: all receipts if they fit, else the first ones and how many more there are."""
    joined = ",".join(receipts)
    if len(joined) <= 50:
        return joined
    return f"{','.join(receipts[:4])}+{len(receipts) - 4}"[:50]


def _facts(loan: Loan) -> dict[str, Any]:
    return {"product_id": loan.product_id, "account_no": loan.account_no, "approved_on": loan.approved_on}
