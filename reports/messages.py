"""SMS and emails, counted."""

from sqlmodel.ext.asyncio.session import AsyncSession

from reports.shapes import Column, Scope, Table
from store.platform import messages_report


async def tables(session: AsyncSession, scope: Scope) -> tuple[Table, ...]:
    return (await message_table(session, scope),)


async def message_table(session: AsyncSession, scope: Scope) -> Table:
    counted = await messages_report.counts(
        session, partner_id=scope.partner_id, since=scope.period.since, until=scope.period.until,
        silent_after=scope.silent_after,
    )  # fmt: skip
    rows = [
        (
            one.event, one.channel, one.gateway, one.state, one.delivery, one.number, one.segments,
            ", ".join(f"{currency} {amount}" for currency, amount in one.costs.items()),
        )
        for one in counted
    ]  # fmt: skip
    columns = (
        Column("event", "Event"), Column("channel", "Channel"), Column("gateway", "Gateway"), Column("state", "State"),
        Column("delivery", "Delivery"), Column("number", "Number", right=True),
        Column("segments", "Segments", right=True), Column("costs", "Costs", right=True),
    )  # fmt: skip
    return Table("messages", "Messages", "SMS and emails made in the period.", columns, rows)
