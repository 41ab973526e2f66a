"""Shorthand of the ledger's tests: accounts, money, one command in its own transaction, sound books at the end."""

from core.money import Money
from ledger.balances import Balance, balance
from ledger.chart import Account, bank_funding, partner_wallet, sms_fees
from ledger.invariants import violations
from ledger.posting import Posted, post
from ledger.transfers import Command, Hold, Post
from store.database import Database

WALLET = partner_wallet("prt_a", "KES")
OTHER = partner_wallet("prt_b", "KES")
BANK = bank_funding("KES")
FEES = sms_fees("KES")


def kes(minor: int) -> Money:
    return Money(minor, "KES")


def top_up(key: str, amount: int, wallet: Account = WALLET) -> Post:
    return Post(key, BANK, wallet, kes(amount), "top-up")


def charge(key: str, amount: int, wallet: Account = WALLET) -> Post:
    return Post(key, wallet, FEES, kes(amount), "sms fee")


def hold(key: str, amount: int, wallet: Account = WALLET) -> Hold:
    return Hold(key, wallet, FEES, kes(amount), "payout", workflow_id="loan-disbursement/prt_a/91")


async def do(database: Database, *commands: Command) -> list[Posted]:
    """The commands in a transaction of their own."""
    async with database.transaction() as session:
        return await post(session, *commands)


async def read(database: Database, account: Account = WALLET) -> Balance:
    async with database.transaction() as session:
        return await balance(session, account)


async def figures(database: Database, account: Account = WALLET) -> tuple[int, int, int]:
    """(posted, held, available) in minor units."""
    found = await read(database, account)
    return found.posted.minor, found.held.minor, found.available.minor


async def assert_sound(database: Database) -> None:
    async with database.transaction() as session:
        assert await violations(session) == []
