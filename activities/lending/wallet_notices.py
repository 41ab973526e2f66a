"""Tells a partner about its wallet: too low for a charge, or fallen below the alert, once per crossing."""

from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.errors import InsufficientFunds
from core.money import Money
from ledger import chart
from ledger.balances import balance
from models.messages.saga.cases import RETRY
from models.tables.platform.partner import Partner
from notices.outbox import notify_partner
from store.platform import partners
from store.saga import cases, timeline

# The kind of case that is open while a saga waits for its wallet; whatever lets the saga go on closes it.
WAITING_FUNDS: Final = "waiting_funds"


async def notify_wallet_short(
    session: AsyncSession, partner: Partner, workflow_id: str, short: InsufficientFunds, *, about: dict[str, str]
) -> None:
    """The saga waits, and a case says so until it goes on (`WAITING_FUNDS`); the partner hears of it once an hour at most,
    however many loans wait. `about` tells the case from others of its kind: account and amount."""
    facts = await shortfall(session, partner, Money(int(short.extra.get("needed_minor", "0")), partner.currency))
    told = f"Charges of {facts['needed']}, {facts['available']} available, {facts['missing']} missing."
    await timeline.write(
        session, workflow_id, "waiting_funds", f"The wallet holds too little: {told} Waiting for a top-up.",
        tone="warning", **facts,
    )  # fmt: skip
    await cases.open_case(
        session,
        key=f"{workflow_id}:{WAITING_FUNDS}",
        kind="waiting_funds",
        summary=f"The wallet holds too little for a loan. {told}",
        evidence={**about, **facts},
        actions=[RETRY],
        partner_id=partner.id,
        workflow_id=workflow_id,
    )
    hour: datetime = utc_now().replace(minute=0, second=0, microsecond=0)
    await notify_partner(
        session,
        "wallet_short",
        key=f"wallet_short:{partner.id}:{hour:%Y%m%d%H}",
        contacts=await partners.contacts(session, partner.id),
        partner_id=partner.id,
        workflow_id=workflow_id,
        facts=facts,
    )


async def shortfall(session: AsyncSession, partner: Partner, needed: Money) -> dict[str, str]:
    """What is needed of the wallet, what is there and what is missing, as people read amounts."""
    wallet = await balance(session, chart.partner_wallet(partner.id, partner.currency))
    missing = Money(max(needed.minor - wallet.available.minor, 0), partner.currency)
    return {"needed": str(needed), "available": str(wallet.available), "missing": str(missing)}


async def notify_if_low(
    session: AsyncSession, partner: Partner, workflow_id: str | None, available: Money, *, top_up_url: str
) -> None:
    """One alert when the wallet falls below the partner's threshold; the next only after it was above it again. Call it
    after the posting that changed the wallet, in its transaction.
    `top_up_url` is where a partner tops up; `{partner_id}` in it becomes the partner's id."""
    low = available.minor < partner.low_balance_minor
    crossed = await partners.mark_low_balance(session, partner.id, low=low)
    if not (low and crossed):
        return
    threshold = Money(partner.low_balance_minor, partner.currency)
    recommended = max(threshold.minor * 5 - available.minor, threshold.minor)
    await notify_partner(
        session,
        "low_balance",
        key=f"low_balance:{partner.id}:{utc_now():%Y%m%d%H%M%S%f}",
        contacts=await partners.contacts(session, partner.id),
        partner_id=partner.id,
        workflow_id=workflow_id,
        facts={
            "balance": str(available),
            "threshold": str(threshold),
            "recommended": str(Money(recommended, partner.currency)),
            "top_up_link": top_up_url.replace("{partner_id}", partner.id),
        },
    )
