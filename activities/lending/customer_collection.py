"""A customer's payment: claimed by one saga, placed on the right accounts, booked once in Fineract, told to everybody."""

import re
from dataclasses import dataclass
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.clients.connections import Connections
from activities.saga import failing_posts
from activities.saga.records import end_row
from core.clock import believed, utc_now
from core.errors import Conflict, InvalidRequest, KivukoError, NotFound, Transient
from core.money import Money
from core.msisdn import Msisdn
from models.messages.lending.customer_collection import (
    ClaimPayment,
    CollectionRequest,
    EndCollection,
    IdentifyAccounts,
    PartPosted,
    PaymentClaimed,
    PlacedPart,
    PostPart,
    SettleCollection,
)
from models.messages.saga.arrived_payments import AnnouncedPayment
from models.messages.saga.decisions import AccountKind, Allocation
from models.messages.saga.prompts import Collected
from models.tables.lending.customer_collection import Collection
from models.tables.platform.partner import Partner
from notices.outbox import notify_client, notify_partner
from providers.fineract.client import Fineract
from providers.repayments import CustomerAccount, PaymentPost
from store.database import Database
from store.lending import customer_collection
from store.platform import partners
from store.saga import incoming, prompts, saga_rows, timeline

PAYMENT_TYPE: Final = "M-Pesa"
_ATTEMPTS_TO_FIND_A_PHONE: Final = 4
# A lender whose loans and savings share numbers may tell its customers to write L or S before them.
_PREFIXED: Final = re.compile(r"([LS])[- ]?(\d+)")
_KIND_OF_PREFIX: Final[dict[str, AccountKind]] = {"L": "loan", "S": "savings"}


@dataclass(frozen=True)
class CustomerPayments:
    """Every method may be repeated: keys, re-reads, and rows that an ended saga no longer changes."""

    database: Database
    connections: Connections

    @activity.defn(name="payments.claim")
    async def claim(self, order: ClaimPayment) -> PaymentClaimed:
        """Makes the payment this saga's, if no other has it. A receipt that only a prompt's callback told gets its row
        here, so that a confirmation which comes later finds it taken."""
        request, collected = order.request, order.collected
        differs: str | None = None
        async with self.database.transaction() as session:
            if collected.incoming_id is not None:
                payment = await incoming.get(session, collected.incoming_id)
            else:
                try:
                    payment = await incoming.record(session, _told_by_prompt(request, collected))
                except Conflict as error:
                    differs = error.detail
                    payment = await incoming.of_external(session, request.partner_id, "daraja", collected.receipt)
            assert payment is not None
            holder = await incoming.claim(session, payment.id, request.workflow_id)
            ours = holder == request.workflow_id
            if ours:
                await timeline.write(
                    session, request.workflow_id, "received",
                    f"{collected.amount} came in, receipt {payment.external_id}.", tone="good",
                    receipt=payment.external_id, resolved_by=collected.resolved_by or "provider",
                )  # fmt: skip
                await prompts.finish(session, request.prompt.leg_id if request.prompt else "-", "paid")
                await saga_rows.change(
                    session,
                    request.workflow_id,
                    stage="identifying",
                    incoming_id=payment.id,
                    receipt=payment.external_id,
                    amount_minor=payment.amount_minor,
                    paid_at=payment.happened_at,
                )
        return PaymentClaimed(ours=ours, claimed_by=holder, arrived=incoming.arrived(payment), differs=differs)

    @activity.defn(name="payments.look")
    async def look(self, request: CollectionRequest) -> None:
        """Before anybody is asked to pay: raises, as `identify` does, if the payment could not be placed."""
        fineract, account_ref = await self._asked_for(request)
        place(await find_account(fineract, account_ref), request.amount, accept_overpayment=False)

    @activity.defn(name="payments.identify")
    async def identify(self, order: IdentifyAccounts) -> tuple[PlacedPart, ...]:
        """The accounts that the payment goes to, each read anew and able to take its part.

        Raises NotFound (code "unknown_account"), Conflict ("ambiguous_account", "account_closed", "overpayment",
        "currency_differs"), InvalidRequest ("allocation_sum", "allocation_amount", "allocation_twice"): all of them a
        person's to decide.
        """
        arrived = order.arrived
        fineract, account_ref = await self._asked_for(order.request)
        if not order.allocations:
            account = await find_account(fineract, account_ref)
            return (place(account, arrived.amount, accept_overpayment=False),)
        _refuse_wrong_parts(order.allocations, arrived.amount)
        parts: list[PlacedPart] = []
        for part in order.allocations:
            account = await find_account(fineract, part.account_no, part.kind)
            placed = place(account, part.amount, accept_overpayment=part.accept_overpayment)
            if any((other.kind, other.account_id) == (placed.kind, placed.account_id) for other in parts):
                raise InvalidRequest(
                    f"The account {placed.account_no} is named twice.", code="allocation_twice", field="allocations"
                )
            parts.append(placed)
        return tuple(parts)

    async def _asked_for(self, request: CollectionRequest) -> tuple[Fineract, str]:
        """Where to look, and for which number: what a payer typed may be a code of ours that stands for it."""
        async with self.database.transaction() as session:
            fineract = await self.connections.fineract(session, request.partner_id)
            behind = await customer_collection.account_behind(
                session, request.partner_id, request.account_ref.strip().upper()
            )
        return fineract, behind or request.account_ref

    @activity.defn(name="payments.post_part")
    async def post_part(self, order: PostPart) -> PartPosted:
        """Books one part in Fineract. May be repeated at any time: the client re-reads after every doubtful answer and
        finds our own transaction by its external id or receipt."""
        request, arrived, part = order.request, order.arrived, order.part
        async with self.database.transaction() as session:
            fineract = await self.connections.fineract(session, request.partner_id)
            payment = await incoming.get(session, arrived.incoming_id)
            await saga_rows.change(session, request.workflow_id, stage="posting")
        heard_at = payment.created_at if payment else utc_now()
        receipt = arrived.external_id
        async with failing_posts.shown(
            self.database, request.workflow_id, f"post:{order.number}", "Fineract has not booked the payment yet"
        ):
            posted = await fineract.post_payment(
                PaymentPost(
                    kind=part.kind,
                    account_id=part.account_id,
                    amount=part.amount,
                    paid_at=believed(
                        arrived.happened_at, heard_at, back=request.policy.told_within, slack=request.policy.clock_slack
                    ),
                    payment_type=PAYMENT_TYPE,
                    # Parts of one receipt on one savings account must be told apart where the server keeps no external ids.
                    receipt=receipt if order.number == 1 else f"{receipt}-{order.number}",
                    payer=arrived.payer_phone.digits if arrived.payer_phone else "",
                    external_id=f"mpesa-{receipt}" + (f"-{order.number}" if order.number > 1 else ""),
                    idempotency_key=f"kvk:c:{request.collection_id}:{order.number}:{order.key_number}",
                    note=f"M-Pesa {receipt}",
                )
            )
        async with self.database.transaction() as session:
            await timeline.write(
                session, request.workflow_id, f"posted:{order.number}",
                f"Fineract booked {part.amount} on {part.kind} {part.account_no}.", tone="good",
                account_no=part.account_no, amount=part.amount.amount,
                transaction_id=str(posted.transaction_id or "unnumbered"),
            )  # fmt: skip
        return PartPosted(transaction_id=posted.transaction_id, left=posted.left)

    @activity.defn(name="payments.settle")
    async def settle(self, order: SettleCollection) -> None:
        """Ends the row and tells customer and lender. The customer's phone is looked up in Fineract; if that does not say,
        the step fails as Transient a few times, and then tells whoever paid."""
        request, arrived = order.request, order.arrived
        phones = [await self._phone(order, part) for part in order.parts]
        async with self.database.transaction() as session:
            if await saga_rows.lock_living(session, Collection, request.collection_id) is None:
                return
            partner = await partners.get(session, request.partner_id)
            allocations = [
                {
                    "kind": part.kind, "account_no": part.account_no, "account_id": part.account_id,
                    "amount_minor": part.amount.minor, "transaction_id": done.transaction_id, "by_hand": done.by_hand,
                }
                for part, done in zip(order.parts, order.posted, strict=True)
            ]  # fmt: skip
            await end_row(
                session,
                request.workflow_id,
                stage="completed",
                line="completed",
                text="Booked. Done.",
                tone="good",
                resolution="the saga went on",
                allocations=allocations,
            )
            for part, done, phone in zip(order.parts, order.posted, phones, strict=True):
                if phone is not None:
                    await notify_payment(
                        session, partner, part, done.transaction_id, receipt=arrived.external_id, left=done.left,
                        phone=phone, workflow_id=request.workflow_id,
                    )  # fmt: skip
            await notify_partner(
                session, "payment_received", key=f"{request.workflow_id}:received",
                contacts=await partners.contacts(session, partner.id), partner_id=partner.id,
                workflow_id=request.workflow_id,
                facts={
                    "amount": str(arrived.amount), "receipt": arrived.external_id,
                    "account_no": ", ".join(part.account_no for part in order.parts),
                    "phone": phones[0].masked if phones[0] else "-",
                },
            )  # fmt: skip

    async def _phone(self, order: SettleCollection, part: PlacedPart) -> Msisdn | None:
        """Who is told of this part: the owner of the account, else whoever paid."""
        request, arrived = order.request, order.arrived
        payer = arrived.payer_phone or (request.prompt.msisdn if request.prompt else None)
        if part.client_id is None:
            return payer
        async with self.database.transaction() as session:
            partner = await partners.get(session, request.partner_id)
            fineract = await self.connections.fineract(session, request.partner_id)
        try:
            return await owner_phone(fineract, partner, part.client_id) or payer
        except Transient:
            if activity.info().attempt < _ATTEMPTS_TO_FIND_A_PHONE:
                raise  # the money is booked, so the step may be repeated
            return payer

    @activity.defn(name="payments.end")
    async def end(self, order: EndCollection) -> None:
        """The saga ends without a posting of its own."""
        request = order.request
        async with self.database.transaction() as session:
            row = await saga_rows.lock_living(session, Collection, request.collection_id)
            if row is None:
                return
            paid, unknown = order.ending in ("merged", "returned"), order.ending == "expired"
            state = "paid" if paid else "unknown" if unknown else "failed"
            await prompts.finish(session, request.prompt.leg_id if request.prompt else "-", state, code=order.code)
            await end_row(
                session,
                request.workflow_id,
                stage=order.ending,
                line="ended",
                text=f"Ended without a posting: {order.detail}",
                tone="warning",
                resolution=order.code,
                code=order.code,
                detail=order.detail,
            )
            if order.ending in ("failed", "expired") and request.prompt is not None:
                await notify_partner(
                    session, "collection_failed", key=f"{request.workflow_id}:ended",
                    contacts=await partners.contacts(session, request.partner_id), partner_id=request.partner_id,
                    workflow_id=request.workflow_id,
                    facts={
                        "amount": str(request.amount), "phone": request.prompt.msisdn.masked,
                        "account_no": request.account_ref, "reason_code": order.code,
                    },
                )  # fmt: skip


def _told_by_prompt(request: CollectionRequest, collected: Collected) -> AnnouncedPayment:
    """A payment that only the prompt's callback, or an operator, has told of."""
    return AnnouncedPayment(
        partner_id=request.partner_id,
        provider="daraja",
        external_id=collected.receipt,
        account="",
        amount=collected.amount,
        reference=request.prompt.payer_reference if request.prompt else "",
        payer_phone=request.prompt.msisdn if request.prompt else None,
        happened_at=collected.paid_at,
        channel="callback",
    )


async def notify_payment(
    session: AsyncSession,
    partner: Partner,
    part: PlacedPart,
    transaction_id: int | None,
    *,
    receipt: str,
    left: Money | None,
    phone: Msisdn,
    workflow_id: str,
) -> None:
    """One SMS per transaction in Fineract, whether our saga or Fineract's hook speaks of it first (A11)."""
    named = f"{part.kind}/{part.account_id}/{transaction_id if transaction_id is not None else receipt}"
    await notify_client(
        session, "payment_received", key=f"payment/{partner.id}/{named}", phone=phone, language=partner.language,
        partner_id=partner.id, workflow_id=workflow_id,
        facts={
            "client_name": part.client_name, "partner_name": partner.name, "amount": str(part.amount),
            "receipt": receipt, "account_no": part.account_no, "kind": part.kind, "left": str(left) if left else "",
        },
    )  # fmt: skip


async def owner_phone(fineract: Fineract, partner: Partner, client_id: int) -> Msisdn | None:
    """The number that the lender has of this client; None if it has none that can be read. Raises Transient if Fineract does
    not say."""
    try:
        client = await fineract.client(client_id)
        return Msisdn.parse(client.phone or "", partner.country)
    except Transient:
        raise
    except KivukoError:
        return None


async def find_account(fineract: Fineract, number: str, kind: AccountKind | None = None) -> CustomerAccount:
    """The one account with this number. Raises NotFound ("unknown_account") or Conflict ("ambiguous_account")."""
    typed = number.strip()
    found = await fineract.find_accounts(typed)
    prefixed = _PREFIXED.fullmatch(typed.upper())
    if not found and prefixed:
        kind = kind or _KIND_OF_PREFIX[prefixed.group(1)]
        found = await fineract.find_accounts(prefixed.group(2))
    if kind is not None:
        found = [account for account in found if account.kind == kind]
    if not found:
        raise NotFound("Nobody has that account number.", code="unknown_account")
    if len(found) > 1:
        kinds = " and ".join(sorted(account.kind for account in found))
        raise Conflict(f"The number belongs to several accounts ({kinds}).", code="ambiguous_account")
    return found[0]


def _refuse_wrong_parts(parts: tuple[Allocation, ...], amount: Money) -> None:
    """Before the first is posted: nothing may be booked that did not come in. Raises InvalidRequest."""
    if any(part.amount.minor <= 0 for part in parts):
        raise InvalidRequest("Each part must be above zero.", code="allocation_amount", field="allocations")
    total = sum((part.amount for part in parts), Money.zero(amount.currency))
    if total != amount:
        raise InvalidRequest(
            f"The parts come to {total}, the payment is {amount}.", code="allocation_sum", field="allocations"
        )


def place(account: CustomerAccount, amount: Money, *, accept_overpayment: bool) -> PlacedPart:
    """The part on this account, if the account takes it. Raises Conflict."""
    if account.currency != amount.currency:
        raise Conflict(f"The account is kept in {account.currency}.", code="currency_differs")
    if not account.takes_payments:
        raise Conflict(f"The account takes no payments ({account.status}).", code="account_closed")
    owed = account.outstanding
    if owed is not None and amount.minor > owed.minor and not accept_overpayment:
        raise Conflict(f"The payment is more than the {owed} that the loan owes.", code="overpayment")
    return PlacedPart(
        kind=account.kind,
        account_id=account.account_id,
        account_no=account.account_no,
        client_id=account.client_id,
        client_name=account.client_name,
        amount=amount,
    )
