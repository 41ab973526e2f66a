"""Bulk actions: each saga is told once and answers for itself, whoever dies in between."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psycopg
import pytest
from sqlmodel import select

from core.clock import utc_now
from core.ids import BULK_ACTION, new_id
from models import kinds
from models.messages.bulk_actions import BulkCommand
from models.tables.platform.security import AuditEntry
from models.tables.saga.bulk_action import BulkAction, BulkItem
from models.tables.saga.saga_row import SagaRow
from store.platform import people
from store.saga import bulk_actions
from temporal.bulk_starts import start_bulk_action
from tests.support.customers import sweep
from tests.support.house import House
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

_LOCK = 815


async def ask(house: House, rows: Sequence[SagaRow], command: BulkCommand, *, start: bool = True) -> str:
    """A bulk action for these sagas of one kind; its id."""
    action = BulkAction(
        id=new_id(BULK_ACTION), kind=kinds.of_row(rows[0]).name, command=command, reason="the lender asks for it",
        total=len(rows), state="requested", requested_by=people.INSTALLATION, requested_via="key_test",
        created_at=utc_now(),
    )  # fmt: skip
    async with house.database.transaction() as session:
        await people.ensure_installation(session)
        await bulk_actions.add(session, action, [(row.id, row.workflow_id) for row in rows])
    if start:
        await start_bulk_action(house.client, action.id)
    return action.id


async def action_of(house: House, bulk_id: str) -> BulkAction:
    async with house.database.transaction() as session:
        found = await bulk_actions.get(session, bulk_id)
    assert found is not None
    return found


async def ended(house: House, bulk_id: str, timeout: float = 40) -> tuple[BulkAction, list[BulkItem]]:
    async def over() -> bool:
        return (await action_of(house, bulk_id)).ended_at is not None

    await eventually(over, timeout)
    async with house.database.transaction() as session:
        return await action_of(house, bulk_id), await bulk_actions.items(session, bulk_id)


async def audited(house: House, action: str) -> list[AuditEntry]:
    async with house.database.transaction() as session:
        return list(await session.exec(select(AuditEntry).where(AuditEntry.action == action)))


@asynccontextmanager
async def held_results(house: House, ordinal: int) -> AsyncIterator[psycopg.AsyncConnection[tuple[object, ...]]]:
    """While the connection lives nobody writes the result of this item down, or goes past it."""
    async with await psycopg.AsyncConnection.connect(house.database.url, autocommit=True) as connection:
        await connection.execute(
            f"""CREATE FUNCTION hold_result() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_advisory_xact_lock_shared({_LOCK}); RETURN NEW; END $$;
            CREATE TRIGGER hold_result BEFORE UPDATE ON bulk_items FOR EACH ROW
            WHEN (NEW.ordinal = {ordinal} AND NEW.state = 'taken') EXECUTE FUNCTION hold_result();"""
        )
        await connection.execute(f"SELECT pg_advisory_lock({_LOCK})")
        yield connection


async def stands_there(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> bool:
    found = await connection.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    return await found.fetchone() is not None


async def test_who_is_at_the_wrong_stage_refuses_and_the_rest_go_on(house: House, desk: MoneyDesk) -> None:
    over = await desk.until(await desk.top_up("1500.00"), "waiting_money")
    await desk.cancel(over)
    await desk.ended(over)
    rows = [over, *[await desk.until(await desk.top_up(f"{n}.00"), "waiting_money") for n in (2500, 2600)]]
    action, items = await ended(house, await ask(house, rows, "cancel"))
    assert (action.state, action.total) == ("done", 3)
    assert [(item.state, item.code) for item in items] == [("refused", "ended"), ("taken", None), ("taken", None)]
    assert items[0].detail == "The saga has ended."
    assert [(await desk.ended(row)).stage for row in rows] == ["withdrawn"] * 3
    # As by hand: each act has its line, and each refusal too.
    lines = await audited(house, "top_ups.cancel_request")
    assert {line.subject for line in lines} == {row.id for row in rows}
    assert {line.after["bulk_action"] for line in lines if line.after} == {action.id}
    assert [line.subject for line in await audited(house, "top_ups.cancel_request.refused")] == [over.id]


async def test_the_sagas_own_words_are_kept(house: House, desk: MoneyDesk) -> None:
    await house.fault("daraja.b2c.result", "lose")
    await house.fault("daraja.status.answer", "lose", times=100)
    started = await house.start(await house.approve_loan())
    row = await house.until_stage(started, "in_review")
    _, (item,) = await ended(house, await ask(house, [row], "cancel"))
    assert (item.state, item.code, item.stage) == ("refused", "wrong_stage", "in_review")
    assert item.detail == "Money may have moved already; it cannot be cancelled."
    _, (item,) = await ended(house, await ask(house, [row], "retry"))
    assert (item.state, item.stage) == ("taken", "in_review")


@pytest.mark.slow
async def test_a_worker_killed_between_a_command_and_its_result_does_nothing_twice(
    house: House, desk: MoneyDesk, worker: WorkerProcess
) -> None:
    worker.start()
    rows = [await desk.until(await desk.top_up(f"{n}.00"), "waiting_money") for n in (2100, 2200, 2300)]
    async with held_results(house, ordinal=2) as connection:
        bulk_id = await ask(house, rows, "cancel")
        await eventually(lambda: stands_there(connection))
        # The saga took it, and ends; nobody has written that down.
        await desk.ended(rows[1])
        worker.kill()
        async with house.database.transaction() as session:
            assert (await bulk_actions.items(session, bulk_id))[1].state == "sending"
    worker.start()
    action, items = await ended(house, bulk_id, timeout=60)
    assert action.state == "done"
    # The second one's saga had ended, and still gave the first answer to the same command.
    assert [item.state for item in items] == ["taken"] * 3
    lines = await audited(house, "top_ups.cancel_request")
    assert sorted(line.subject for line in lines) == sorted(row.id for row in rows)
    assert await audited(house, "top_ups.cancel_request.refused") == []
    assert [(await desk.ended(row)).stage for row in rows] == ["withdrawn"] * 3


async def test_what_was_never_begun_is_begun_by_the_sweep(house: House, desk: MoneyDesk) -> None:
    row = await desk.until(await desk.top_up("2500.00"), "waiting_money")
    bulk_id = await ask(house, [row], "cancel", start=False)
    async with house.database.transaction() as session:
        action = await bulk_actions.get(session, bulk_id)
        assert action is not None
        action.created_at = action.created_at.replace(year=2025)
        session.add(action)
    await sweep(house)
    _, (item,) = await ended(house, bulk_id)
    assert item.state == "taken"


async def test_what_was_stopped_before_its_turn_is_never_sent(house: House, desk: MoneyDesk) -> None:
    row = await desk.until(await desk.top_up("2500.00"), "waiting_money")
    bulk_id = await ask(house, [row], "cancel", start=False)
    async with house.database.transaction() as session:
        action = await bulk_actions.get(session, bulk_id, for_update=True)
        assert action is not None
        assert await bulk_actions.stop(session, action, via="key_test")
        assert not await bulk_actions.stop(session, action, via="key_test")
    await start_bulk_action(house.client, bulk_id)
    action, (item,) = await ended(house, bulk_id)
    assert (action.state, item.state) == ("stopped", "skipped")
    assert (await desk.row(row)).stage == "waiting_money"
    assert await audited(house, "top_ups.cancel_request") == []


async def test_sagas_that_do_not_answer_are_tried_again_and_then_said_so(house: House, desk: MoneyDesk) -> None:
    """A row whose saga was never started: it is asked for a few times, and holds up no other."""
    rows = [await desk.top_up_row("2500.00"), await desk.until(await desk.top_up("2600.00"), "waiting_money")]
    _, items = await ended(house, await ask(house, rows, "cancel"), timeout=60)
    assert [(item.state, item.code) for item in items] == [("unanswered", "not_started"), ("taken", None)]
    assert items[0].tries == 5
