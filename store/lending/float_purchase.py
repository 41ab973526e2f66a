"""Float purchases: the price that was shown, and how far the purchase is."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import FLOAT_PURCHASE, new_id
from core.money import Money
from models.messages.lending.float_purchase import CostLine, Operator
from models.tables.base import table_of
from models.tables.lending.float_purchase import FloatPurchase
from store.platform import tariffs
from store.saga import saga_rows, timeline

_PURCHASES = table_of(FloatPurchase)
KIND = "float-purchase"


async def price(session: AsyncSession, partner_id: str, amount: Money, at: datetime) -> list[dict[str, Any]]:
    """The breakdown of what a purchase costs: the float, the bank's transfer fee, our processing fee; zero fees left out.
    Raises InvalidRequest (code "no_tariff")."""
    fees = await tariffs.fees(session, partner_id, amount, at, ["bank_transfer", "float_processing"])
    lines = [("float", amount), *fees.items()]
    return [{"item": item, "amount_minor": money.minor} for item, money in lines if money.minor]


async def begin(
    session: AsyncSession,
    *,
    partner_id: str,
    operator: Operator,
    amount: Money,
    costs: list[dict[str, Any]],
    requested_by: str,
) -> FloatPurchase:
    now, row_id = utc_now(), new_id(FLOAT_PURCHASE)
    total = sum(line["amount_minor"] for line in costs)
    row = {
        "id": row_id, "partner_id": partner_id, "workflow_id": saga_rows.workflow_id_of(KIND, row_id),
        "requested_by": requested_by, "stage": "requested", "operator": operator, "currency": amount.currency,
        "amount_minor": amount.minor, "total_minor": total, "costs": costs, "policy": {}, "created_at": now,
        "updated_at": now,
    }  # fmt: skip
    await session.exec(insert(_PURCHASES).values(row))
    total_money = Money(total, amount.currency)
    await timeline.write(
        session, row["workflow_id"], "requested", f"{operator} float of {amount} was asked for, {total_money} in all."
    )
    made = await session.get(FloatPurchase, row_id)
    assert made is not None
    return made


def cost_lines(row: FloatPurchase) -> tuple[CostLine, ...]:
    """The stored breakdown, each line with the key of its hold."""
    return tuple(
        CostLine(
            item=line["item"],
            amount=Money(line["amount_minor"], row.currency),
            hold_key=f"{row.workflow_id}:hold:{line['item']}",
        )
        for line in row.costs
    )
