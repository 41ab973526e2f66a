"""One page of the list of payments of the last 48 hours (daraja.md 5)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from core.clock import utc_now
from simulators.books import COLLECTIONS
from simulators.daraja.bank import Bank
from simulators.daraja.identifiers import NAIROBI
from simulators.daraja.portal import behaviour
from simulators.world import World

_KEPT: Final = timedelta(hours=48)


def pulled_page(world: World, bank: Bank, shortcode: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows from `OffSetValue` on, oldest first; numbers without their country code, times zone-less."""
    start, end = (_moment(body[name]) for name in ("StartDate", "EndDate"))
    oldest, offset = max(start, utc_now() - _KEPT), int(body["OffSetValue"])
    rows = [dict(row) for row in behaviour(world).pull_odd_rows]
    for row in world.documents.all(COLLECTIONS):
        at = datetime.fromisoformat(row["at"])
        if row["shortcode"] == shortcode and oldest <= at <= end:
            rows.append(
                {
                    "transactionId": row["receipt"],
                    "trxDate": f"{at.astimezone(NAIROBI):%Y-%m-%d %H:%M:%S}",
                    "msisdn": int(row["msisdn"][3:]),
                    "sender": bank.customer_name(row["msisdn"]),
                    "transactiontype": "c2b-pay-bill-debit",
                    "billreference": row["reference"],
                    "amount": row["amount"],
                    "organizationname": "KIVUKO LTD",
                }
            )
    return rows[offset : offset + behaviour(world).pull_page]


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=NAIROBI).astimezone(UTC)
