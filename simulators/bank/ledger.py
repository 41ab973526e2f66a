"""One set of books: every movement takes from one account and gives to another, once, and nothing is ever changed.

Accounts of the bank have plain numbers; money also goes to and comes from `outside`, `pesalink:<bank code>`,
`mpesa:<msisdn>` and `float:<operator>:<float account>`, which are accounts of these books too. All balances add up to 0.
"""

from datetime import datetime
from typing import Any, Final, NotRequired, TypedDict
from zoneinfo import ZoneInfo

from core.clock import utc_now
from core.money import Money
from simulators.bank.models import ACCOUNTS, MOVEMENTS, SETTINGS, Behaviour, OpenAccount
from simulators.documents import Documents
from simulators.world import World

NAIROBI: Final = ZoneInfo("Africa/Nairobi")
OUTSIDE: Final = "outside"

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TAIL: Final = 5
_SPACE: Final = 36**_TAIL
_STRIDE: Final = 17_029_933  # shares no factor with 36**5, so a walk of it meets every tail once

Movement = dict[str, Any]


class Facts(TypedDict):
    """What a movement tells beside accounts and amount."""

    narration: str
    kind: str
    reference: NotRequired[str | None]  # of the customer's instruction
    bank_reference: NotRequired[str | None]
    name: NotRequired[str]  # of the other side
    phone: NotRequired[str]


class Ledger:
    def __init__(self, world: World) -> None:
        self.documents = world.documents

    def open(self, wanted: OpenAccount) -> dict[str, Any]:
        known = self.documents.get(ACCOUNTS, wanted.number) or {"opening": 0}
        opening = Money.parse(wanted.balance, wanted.currency).minor
        account = {"number": wanted.number, "name": wanted.name, "currency": wanted.currency, "opening": opening}
        self.documents.put(ACCOUNTS, wanted.number, account)
        more = opening - int(known["opening"])
        source, target = (OUTSIDE, wanted.number) if more > 0 else (wanted.number, OUTSIDE)
        if more:
            facts: Facts = {"narration": "OPENING BALANCE", "kind": "opening"}
            self.move(source, target, Money(abs(more), wanted.currency), facts)
        return self.show(wanted.number)

    def account(self, number: str) -> dict[str, Any] | None:
        return self.documents.get(ACCOUNTS, number)

    def move(
        self, source: str, target: str, amount: Money, facts: Facts, *, transaction_id: str | None = None
    ) -> Movement:
        """Books it, unless this transaction id was booked before. One write, so that a crash leaves all or nothing."""
        transaction_id = transaction_id or self.new_transaction_id()
        if booked := self.documents.get(MOVEMENTS, transaction_id):
            return booked
        movement: Movement = {
            "bank_transaction_id": transaction_id,
            "from": source,
            "to": target,
            "minor": amount.minor,
            "currency": amount.currency,
            "at": utc_now().isoformat(),
            "reference": None,
            "bank_reference": None,
            "name": "",
            "phone": "",
            **facts,
        }
        return self.documents.put(MOVEMENTS, transaction_id, movement)

    def balance(self, number: str) -> int:
        """In minor units."""
        return sum(
            (movement["minor"] if movement["to"] == number else 0)
            - (movement["minor"] if movement["from"] == number else 0)
            for movement in self.documents.all(MOVEMENTS)
        )

    def show(self, number: str) -> dict[str, Any]:
        account = self.account(number) or {"number": number, "name": "", "currency": "KES"}
        balance = Money(self.balance(number), account["currency"]).amount
        return {key: account[key] for key in ("number", "name", "currency")} | {"balance": balance}

    def statement(self, number: str, start: str, end: str) -> list[dict[str, Any]]:
        """The account's entries with a Nairobi day from `start` to `end` (ISO, inclusive), but for opening balances. Each has
        the balance after it."""
        minor, shown = 0, []
        for entry in entries_of(self.documents):
            if entry["account"] == number:
                amount = Money.parse(entry["amount"], entry["currency"]).minor
                minor += amount if entry["direction"] == "credit" else -amount
                if entry["kind"] != "opening" and start <= day_of(entry["at"]) <= end:
                    shown.append(entry | {"balance": Money(minor, entry["currency"]).amount})
        return shown

    def new_transaction_id(self) -> str:
        """FT26014AB12C: year, day of the year and five more."""
        number = self.documents.next_number("bank.transactions") * _STRIDE % _SPACE
        tail = ""
        for _ in range(_TAIL):
            number, digit = divmod(number, 36)
            tail += _DIGITS[digit]
        return f"FT{utc_now().astimezone(NAIROBI):%y%j}{tail}"


def accounts_of(documents: Documents) -> list[dict[str, Any]]:
    """Every account of the books with its balance in major units: the bank's own first, then the outer ones."""
    sums: dict[str, int] = {account["number"]: 0 for account in documents.all(ACCOUNTS)}
    currencies: dict[str, str] = {}
    for movement in documents.all(MOVEMENTS):
        for number, sign in ((movement["from"], -1), (movement["to"], 1)):
            sums[number] = sums.get(number, 0) + sign * movement["minor"]
            currencies[number] = movement["currency"]
    known = {account["number"]: account for account in documents.all(ACCOUNTS)}
    rows = []
    for number, minor in sums.items():
        account = known.get(number, {"name": "", "currency": currencies.get(number, "KES")})
        amount = Money(minor, account["currency"]).amount
        rows.append({"number": number, "name": account["name"], "currency": account["currency"], "balance": amount})
    return rows


def entries_of(documents: Documents) -> list[dict[str, Any]]:
    """Both entries of every movement, in order, amounts in major units."""
    return [
        {
            "bank_transaction_id": movement["bank_transaction_id"],
            "account": movement[side],
            "direction": direction,
            "amount": Money(movement["minor"], movement["currency"]).amount,
            "currency": movement["currency"],
            "narration": movement["narration"],
            "reference": movement["reference"],
            "kind": movement["kind"],
            "other": movement["to" if side == "from" else "from"],
            "name": movement["name"],
            "at": movement["at"],
        }
        for movement in documents.all(MOVEMENTS)
        for side, direction in (("from", "debit"), ("to", "credit"))
    ]


def behaviour(world: World) -> Behaviour:
    return Behaviour.model_validate(world.documents.get(SETTINGS, "behaviour") or {})


def day_of(at: str) -> str:
    """The Nairobi day of a moment, in ISO."""
    return datetime.fromisoformat(at).astimezone(NAIROBI).date().isoformat()
