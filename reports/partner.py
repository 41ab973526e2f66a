"""Each partner's payments, wallet and messages."""

from collections import defaultdict

from sqlmodel.ext.asyncio.session import AsyncSession

from core.money import Money
from ledger.balances import balances
from models.kinds import KINDS
from reports.messages import message_table
from reports.shapes import Column, Period, Scope, Table
from store.platform import partners
from store.reports import saga_counts


async def tables(session: AsyncSession, scope: Scope) -> tuple[Table, ...]:
    names = await partners.names(session)
    return (
        await _payments(session, scope.period, scope.partner_id, names),
        await _wallets(session, scope.partner_id, names),
        await message_table(session, scope),
    )


async def _payments(session: AsyncSession, period: Period, partner_id: str | None, names: dict[str, str]) -> Table:
    order = {kind.word: number for number, kind in enumerate(KINDS)}
    sums: dict[tuple[str, int, str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for kind in KINDS:
        for one in await saga_counts.ended(session, kind, period.since, period.until, partner_id):
            found = sums[one.partner_id, order[kind.word], kind.word, one.currency]
            found[one.status] += one.number
            found["moved"] += one.moved_minor if one.status == "completed" else 0
        for one in await saga_counts.under_way(session, kind, partner_id):
            sums[one.partner_id, order[kind.word], kind.word, one.currency]["under_way"] += one.number
    rows = [
        (
            names.get(partner, partner), partner, word, found["completed"], Money(found["moved"], currency),
            found["failed"], found["cancelled"], found["under_way"],
        )
        for (partner, _, word, currency), found in sorted(
            sums.items(), key=lambda item: (names.get(item[0][0], ""), *item[0])
        )
    ]  # fmt: skip
    columns = (
        Column("partner", "Partner"), Column("partner_id", "Id"), Column("kind", "Kind"),
        Column("completed", "Completed", right=True), Column("moved", "Moved", right=True),
        Column("failed", "Failed", right=True), Column("cancelled", "Cancelled", right=True),
        Column("under_way", "Under way", right=True),
    )  # fmt: skip
    about = "Payments that ended in the period, and those under way when this was read."
    return Table("payments", "Payments by partner", about, columns, rows)


async def _wallets(session: AsyncSession, partner_id: str | None, names: dict[str, str]) -> Table:
    found = await balances(session, f"wallet:{partner_id}:" if partner_id else "wallet:")
    rows = [
        (names.get(owner := one.account_id.split(":")[1], owner), owner, one.posted, one.held, one.available)
        for one in found
    ]
    columns = (
        Column("partner", "Partner"), Column("partner_id", "Id"), Column("balance", "Balance", right=True),
        Column("held", "Held", right=True), Column("available", "Available", right=True),
    )  # fmt: skip
    return Table("wallets", "Wallets", "What the wallets held when this was read.", columns, rows)
