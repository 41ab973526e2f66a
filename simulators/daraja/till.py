"""Money that comes in, and goes back by a reversal (daraja.md 5, 6, 9). Nothing here waits, so each is done wholly."""

from typing import Any

from core.clock import utc_now
from core.money import Money
from simulators.books import COLLECTIONS
from simulators.daraja.identifiers import receipt
from simulators.daraja.models import CUSTOMERS, SHORTCODES, UNREGISTERED_PREFIX, Customer
from simulators.world import World

Row = dict[str, Any]  # of the books


class Till:
    def __init__(self, world: World) -> None:
        self.documents = world.documents

    def shortcode_of(self, party: str) -> dict[str, Any] | None:
        """The short code itself, or the head office of a till."""
        return self.documents.get(SHORTCODES, party) or next(
            (known for known in self.documents.all(SHORTCODES) if known.get("till") == party), None
        )

    def is_customer(self, msisdn: str) -> bool:
        known = self.documents.get(CUSTOMERS, msisdn)
        return bool(known["registered"]) if known else not msisdn.startswith(UNREGISTERED_PREFIX)

    def rename(self, msisdn: str, name: str) -> None:
        known = self.documents.get(CUSTOMERS, msisdn) or Customer(msisdn=msisdn).model_dump()
        self.documents.put(CUSTOMERS, msisdn, {**known, "name": name})

    def new_receipt(self) -> str:
        return receipt(self.documents, utc_now())

    def receive(
        self, *, party: str, msisdn: str, shillings: int, reference: str, channel: str, receipt: str, at: str
    ) -> Row | None:
        """Books a payment to a short code or a till; None if nobody has that number."""
        account = self.shortcode_of(party)
        if account is None:
            return None
        row = {
            "receipt": receipt,
            "amount": Money.parse(shillings, "KES").amount,
            "currency": "KES",
            "msisdn": msisdn,
            "shortcode": party,
            "reference": reference,
            "channel": channel,
            "at": at,
            "reversed": False,
        }
        self.documents.put(COLLECTIONS, receipt, row)
        account["utility"] += shillings * 100
        self.documents.put(SHORTCODES, account["shortcode"], account)
        return row

    def balance(self, party: str) -> str:
        """Of the account behind a short code or till, in KES."""
        account = self.shortcode_of(party)
        return Money(account["utility"] if account else 0, "KES").amount

    def give_back(self, party: str, asked: str, shillings: int) -> str:
        """Reverses a payment; the result code. A part of it is refused with 25, which is our choice: nobody says."""
        row = self.documents.get(COLLECTIONS, asked)
        account = self.shortcode_of(party)
        if row is None or row["shortcode"] != party or account is None:
            return "R000002"
        if row["reversed"]:
            return "R000001"
        minor = Money.parse(row["amount"], "KES").minor
        if minor != shillings * 100:
            return "25"
        if account["utility"] < minor:
            return "1"
        account["utility"] -= minor
        self.documents.put(SHORTCODES, account["shortcode"], account)
        self.documents.put(COLLECTIONS, asked, {**row, "reversed": True})
        return "0"
