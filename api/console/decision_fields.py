"""The fields of a decision's form, on a payment's page and at the case desk, and the body that they make of it."""

from datetime import datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import StringConstraints

from api.console.forms import ConsoleForm, ShortText
from api.console.list_query import Word

PARTS: Final = 3  # accounts that a payment may be split over; more is the API's
LongText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000, pattern=r"^[^\x00]*$")]


class DecisionFields(ConsoleForm):
    """Everything is text; empty is nothing. `paid_at` is as people's clocks show it, in the reader's zone."""

    decision: Word
    evidence: LongText = ""
    receipt: ShortText = ""
    paid_at: ShortText = ""
    transaction_id: ShortText = ""
    proposal: ShortText = ""
    kind_1: ShortText = ""
    account_1: ShortText = ""
    amount_1: ShortText = ""
    over_1: ShortText = ""
    kind_2: ShortText = ""
    account_2: ShortText = ""
    amount_2: ShortText = ""
    over_2: ShortText = ""
    kind_3: ShortText = ""
    account_3: ShortText = ""
    amount_3: ShortText = ""
    over_3: ShortText = ""

    def body(self, zone: ZoneInfo, currency: str) -> dict[str, Any]:
        """As the API takes it: what is empty is not there."""
        said: dict[str, Any] = {
            "decision": self.decision, "evidence": self.evidence, "receipt": self.receipt, "proposal": self.proposal,
            "paid_at": _moment(self.paid_at, zone), "transaction_id": _number(self.transaction_id),
            "allocations": self._parts(currency),
        }  # fmt: skip
        return {name: value for name, value in said.items() if value not in ("", None, [])}

    def _parts(self, currency: str) -> list[dict[str, Any]]:
        given = [
            (getattr(self, f"kind_{n}"), getattr(self, f"account_{n}"), getattr(self, f"amount_{n}"),
             bool(getattr(self, f"over_{n}")))
            for n in range(1, PARTS + 1)
        ]  # fmt: skip
        return [
            {"kind": kind, "account": account, "amount": {"amount": amount.replace(",", ""), "currency": currency},
             "accept_overpayment": over}
            for kind, account, amount, over in given if account or amount
        ]  # fmt: skip


def _moment(text: str, zone: ZoneInfo) -> str:
    """What is no time stays as it is, and is refused by the API's rule."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (at if at.tzinfo else at.replace(tzinfo=zone)).isoformat()


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 20 else text
