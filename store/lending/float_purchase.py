"""Float purchases: the price that was shown, and how far the purchase is."""

from datetime import datetime
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import new_id
from core.money import Money
from models import kinds
from models.messages.lending.float_purchase import CostLine, FloatRequest, Operator
from models.messages.saga.policies import FloatPolicy
from models.tables.lending.float_purchase import FloatPurchase
from store.platform import tariffs
from store.saga import saga_rows, timeline

KIND: Final = kinds.named("float-purchase")


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
    now, row_id = utc_now(), new_id(KIND.id_prefix)
    total = sum(line["amount_minor"] for line in costs)
    row = {
        "id": row_id, "partner_id": partner_id, "workflow_id": KIND.workflow_id(row_id),
        "requested_by": requested_by, "stage": "requested", "operator": operator, "currency": amount.currency,
        "amount_minor": amount.minor, "total_minor": total, "costs": costs, "policy": {}, "created_at": now,
        "updated_at": now,
    }  # fmt: skip
    await saga_rows.add(session, FloatPurchase, row)
    total_money = Money(total, amount.currency)
    await timeline.write(
        session, row["workflow_id"], "requested", f"{operator} float of {amount} was asked for, {total_money} in all."
    )
    made = await session.get(FloatPurchase, row_id)
    assert made is not None
    return made


async def request(session: AsyncSession, row: FloatPurchase) -> FloatRequest:
    """The saga's input, made of its row alone."""
    return FloatRequest.model_validate(
        {
            "purchase_id": row.id,
            "partner_id": row.partner_id,
            "workflow_id": row.workflow_id,
            "operator": row.operator,
            "amount": Money(row.amount_minor, row.currency),
            "total": Money(row.total_minor, row.currency),
            "policy": FloatPolicy.model_validate(row.policy),
        }
    )


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
