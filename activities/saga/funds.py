"""Money for those that wait for it: holds are granted in the order of request, in one transaction, under the wallet's lock.

A grant is a hold of the whole sum that a saga waits for. The saga hears of it afterwards (workers/funds.py) and swaps it for
the holds that it really needs, so whatever it finds out by then (another tariff, a loan that was undone, a limit that is
used up) costs nobody anything: what it does not need goes back, to the next in line.
"""

from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from core.money import Money
from ledger import chart
from ledger.balances import locked_balance
from ledger.posting import post
from ledger.transfers import Hold, Release
from store.saga import funds_waits

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
