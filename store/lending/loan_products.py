"""A lender's loan products, as they are enabled and limited here."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables.lending.loan_product import LoanProduct


async def get(
    session: AsyncSession, partner_id: str, product_id: int, *, for_update: bool = False
) -> LoanProduct | None:
    """`for_update` lets one saga at a time count against the product's daily limit."""
    query = select(LoanProduct).where(LoanProduct.partner_id == partner_id, LoanProduct.product_id == product_id)
    return (await session.exec(query.with_for_update() if for_update else query)).first()


async def of_partner(session: AsyncSession, partner_id: str) -> list[LoanProduct]:
    found = await session.exec(
        select(LoanProduct).where(LoanProduct.partner_id == partner_id).order_by(col(LoanProduct.product_id))
    )
    return list(found)
