"""Money for those that wait for it: holds are granted in the order of request, in one transaction, under the wallet's lock.

A grant is a hold of the whole sum that a saga waits for. The saga hears of it afterwards (workers/funds.py) and swaps it for
the holds that it really needs, so whatever it finds out by then (another tariff, a loan that was undone, a limit that is
used up) costs nobody anything: what it does not need goes back, to the next in line.
"""

from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from core.errors import InsufficientFunds
from core.money import Money
from ledger import chart
from ledger.balances import locked_balance
from ledger.posting import post
from ledger.transfers import Hold, Release
from models.tables.lending.loan_disbursement import Disbursement
from store.lending.loan_disbursement import BEFORE_PAYING
from store.saga import funds_waits, saga_rows

AT_ONCE: Final = 200  # grants of one transaction, so that the wallet is not locked for long


async def grant(session: AsyncSession, partner_id: str, currency: str) -> int:
    """Grants what the wallet has to those that wait for it: one that asks for more than is left stops none behind it.
    Returns how many were granted. The wallet stays locked until the transaction ends."""
    wallet = chart.partner_wallet(partner_id, currency)
    left = (await locked_balance(session, wallet)).available.minor
    granted: list[funds_waits.Place] = []
    for place in await funds_waits.first_in_line(session, wallet.id, at_most=left, limit=AT_ONCE):
        if place.needed_minor <= left:
            left -= place.needed_minor
            granted.append(place)
    if granted:
        await post(session, *(_kept_for(place, wallet) for place in granted))
        await funds_waits.grant(session, granted)
    return len(granted)


def _kept_for(place: funds_waits.Place, wallet: chart.Account) -> Hold:
    return Hold(
        key=place.hold_key,
        debit=wallet,
        credit=chart.processing_fees(wallet.currency),  # a hold needs one; this one is never captured
        amount=Money(place.needed_minor, wallet.currency),
        reason="kept for one that waited",
        workflow_id=place.workflow_id,
        group=place.workflow_id,
    )


async def stand_in_line(session: AsyncSession, disbursement_id: str, short: InsufficientFunds) -> bool:
    """The loan's place before its wallet, for what was missing. One that was granted less than it needs by now gives that
    back and keeps its place. False, and nothing is changed, if the saga has gone on: a try that was believed dead."""
    row = await saga_rows.lock_living(session, Disbursement, disbursement_id)
    if row is None or row.stage not in BEFORE_PAYING:
        return False
    granted = None
    if await funds_waits.is_granted(session, row.workflow_id):
        granted = await funds_waits.leave(session, row.workflow_id)
    await funds_waits.join(
        session,
        workflow_id=row.workflow_id,
        partner_id=row.partner_id,
        account_id=chart.partner_wallet(row.partner_id, row.currency).id,
        needed_minor=int(short.extra["needed_minor"]),
        asked_at=row.created_at,
    )
    await post(session, *given_back(granted))
    return True


async def taken_over(session: AsyncSession, workflow_id: str, partner_id: str, currency: str) -> tuple[Release, ...]:
    """Before a saga takes money of a wallet: whoever waited for it longer is served first. If the saga was granted
    something it leaves the line, and this releases the grant: post it before the holds that take its place."""
    wallet = chart.partner_wallet(partner_id, currency)
    if not await funds_waits.stands(session, wallet.id):
        return ()
    await grant(session, partner_id, currency)
    return given_back(await funds_waits.leave(session, workflow_id))


def given_back(hold_key: str | None) -> tuple[Release, ...]:
    """The release of a grant, if there was one."""
    return () if hold_key is None else (Release(f"{hold_key}:undo", hold_key),)
