"""Balances and charges, from the ledger alone: each account's closing is its opening, plus what came, less what went."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from core.money import Money
from ledger.periods import AccountPeriod, Movements, account_periods, movements
from reports.shapes import Column, Scope, Table
from store.platform import partners


async def tables(session: AsyncSession, scope: Scope) -> tuple[Table, ...]:
    """A partner sees its wallet; the house every account."""
    period, prefix = scope.period, f"wallet:{scope.partner_id}:" if scope.partner_id else ""
    accounts = await account_periods(session, period.since, period.until, prefix)
    moved = await movements(session, period.since, period.until, prefix or "wallet:")
    names = await partners.names(session)
    return _balances(accounts, names), _charges(moved, names), _movements(moved, names)


def _balances(accounts: Sequence[AccountPeriod], names: Mapping[str, str]) -> Table:
    rows = [(_words(one.account_id, names), one.opening, one.came, one.went, one.closing) for one in accounts]
    columns = (
        Column("account", "Account"), Column("opening", "Opening", right=True), Column("came", "In", right=True),
        Column("went", "Out", right=True), Column("closing", "Closing", right=True),
    )  # fmt: skip
    about = "What each account of the books had before and after the period. Holds are not deducted."
    return Table("balances", "Balances", about, columns, rows)


def _charges(moved: Sequence[Movements], names: Mapping[str, str]) -> Table:
    """What wallets paid into the accounts of fees, less what came back."""
    sums: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for one in moved:
        if one.counterpart.startswith("fees:"):
            found = sums[one.account_id, one.counterpart, one.amount.currency]
            sign = 1 if one.direction == "out" else -1
            found[0] += sign * one.number
            found[1] += sign * one.amount.minor
    rows = [
        (_words(wallet, names), _words(fee, names), number, Money(minor, currency))
        for (wallet, fee, currency), (number, minor) in sorted(sums.items())
    ]
    columns = (
        Column("account", "Account"), Column("charge", "Charge"), Column("number", "Number", right=True),
        Column("amount", "Amount", right=True),
    )  # fmt: skip
    return Table("charges", "Charges", "Charges that wallets paid, reversals deducted.", columns, rows)


def _movements(moved: Sequence[Movements], names: Mapping[str, str]) -> Table:
    rows = [
        (_words(one.account_id, names), one.direction, _words(one.counterpart, names), one.number, one.amount)
        for one in moved
    ]
    columns = (
        Column("account", "Account"), Column("direction", "Direction"), Column("counterpart", "With"),
        Column("number", "Number", right=True), Column("amount", "Amount", right=True),
    )  # fmt: skip
    return Table("movements", "Movements", "What wallets exchanged with other accounts.", columns, rows)


def _words(account_id: str, names: Mapping[str, str]) -> str:
    """An account of the chart as people call it."""
    kind, _, rest = account_id.partition(":")
    name, _, currency = rest.rpartition(":")
    if kind == "wallet":
        return f"Wallet of {names.get(name, name)} ({currency})"
    if kind == "fees":
        return f"{_FEES.get(name, name.capitalize())} charges ({currency})"
    if kind == "bank":
        return f"Bank account …{name[-4:]} ({currency})"
    return f"Funding by {name} ({currency})" if kind == "funding" else account_id


_FEES = {"mpesa": "M-Pesa", "sms": "SMS"}
