"""One partner's flood is its own wait, and nobody else's."""

import ast
import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update

from core.clock import utc_now
from core.ids import new_id
from models.messages.inbound import Reading
from models.tables.platform.traffic import InboxItem
from store.platform import inbox
from tests.api.conftest import Door
from tests.api.inbound.test_stored_first import PAYMENT
from tests.api.money import rich_lender
from tests.architecture import house
from tests.support.pushes import secret_of
from tests.support.waiting import eventually

FLOOD = 120


async def test_a_flood_of_confirmations_does_not_delay_another_partners_payment(door: Door) -> None:
    loud, quiet = await rich_lender(door, "Loud"), await rich_lender(door, "Quiet")
    visitor = door.visitor()
    addresses = {one: f"/cb/in/{await secret_of(door, one, 'daraja')}/confirm" for one in (loud, quiet)}

    async def pay(partner_id: str, number: int) -> int:
        body = PAYMENT | {"TransID": f"U{number}"}
        return (await visitor.post(addresses[partner_id], json=body)).status_code

    flood = [asyncio.create_task(pay(loud, number)) for number in range(FLOOD)]

    async def well_on_its_way() -> bool:
        async with door.database.transaction() as session:
            return await inbox.waiting(session) >= FLOOD // 4

    await eventually(well_on_its_way, 60)
    assert await pay(quiet, FLOOD) == 200
    done = [row.partner_id for row in await door.rows(InboxItem) if row.delivered_at is not None]
    assert quiet in done
    assert len(done) < FLOOD // 2, "its payment was taken while most of the flood still waited"
    assert set(await asyncio.gather(*flood)) == {200}
    assert len(await door.rows(InboxItem)) == FLOOD + 1


async def test_the_sweep_takes_every_partners_oldest_first(door: Door) -> None:
    loud, quiet = await door.lender("Loud"), await door.lender("Quiet")
    async with door.database.transaction() as session:
        for partner_id in (loud,) * 30 + (quiet,) * 2:
            reading = Reading(
                provider="daraja", kind="payment", external_id=new_id("x"), report={}, partner_id=partner_id
            )
            await inbox.store(session, reading)
        await session.exec(update(InboxItem).values(next_attempt_at=utc_now() - timedelta(seconds=1)))
        due = [partner_id for _, partner_id in await inbox.due(session, limit=6)]
    assert due[:4] == [loud, quiet, loud, quiet]
    assert due[4:] == [loud, loud]


async def test_what_is_too_much_now_is_stored_and_left_to_the_sweep(door: Door) -> None:
    partner_id = await rich_lender(door)

    class Full:
        def turn(self, key: str) -> Any:
            return self

        async def __aenter__(self) -> bool:
            return False

        async def __aexit__(self, *_: Any) -> None:
            return None

    object.__setattr__(door.services, "turns", Full())
    answer = await door.visitor().post(f"/cb/in/{await secret_of(door, partner_id, 'daraja')}/confirm", json=PAYMENT)
    assert answer.status_code == 200
    (item,) = await door.rows(InboxItem)
    assert (item.kind, item.delivered_at) == ("unread", None)


def starts_without_a_key(source: str) -> list[int]:
    """Lines that start a workflow and do not say whose it is."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", ""))
        in ("start_workflow", "ScheduleActionStartWorkflow")
        and len(node.args) + len(node.keywords) > 2
        and "priority" not in {keyword.arg for keyword in node.keywords}
    ]


def test_every_workflow_is_started_for_somebody() -> None:
    """Temporal takes turns over fairness keys; what has none shares one turn with all others that have none."""
    found = {
        str(path.relative_to(house.ROOT)): lines
        for path in house.sources("api", "temporal", "activities", "inbound")
        if (lines := starts_without_a_key(Path(path).read_text(encoding="utf-8")))
    }
    assert found == {}
    assert starts_without_a_key("client.start_workflow('A', 1, id='x')") == [1]
