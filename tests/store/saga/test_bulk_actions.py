"""The rows of bulk actions: whose turn it is, what a stop means, and that a result is written once."""

from core.clock import utc_now
from core.ids import BULK_ACTION, new_id
from models.tables.saga.bulk_action import BulkAction
from store.database import Database
from store.platform import people
from store.saga import bulk_actions


async def made(database: Database, count: int = 2, *, form_key: str | None = None) -> BulkAction:
    """A bulk action that goes on, for sagas that there are not."""
    action = BulkAction(
        id=new_id(BULK_ACTION), kind="wallet-top-up", command="cancel", reason="asked for", total=count, state="running",
        requested_by=people.INSTALLATION, requested_via="key_test", form_key=form_key, created_at=utc_now(),
    )  # fmt: skip
    async with database.transaction() as session:
        await people.ensure_installation(session)
        targets = [(f"top_{n}", f"wallet-top-up/top_{n}") for n in range(count)]
        return await bulk_actions.add(session, action, targets)


async def stop(database: Database, bulk_id: str) -> None:
    async with database.transaction() as session:
        action = await bulk_actions.get(session, bulk_id, for_update=True)
        assert action is not None
        assert await bulk_actions.stop(session, action, via="key_test")


async def test_after_a_stop_only_what_was_sent_goes_on(database: Database) -> None:
    action = await made(database)
    async with database.transaction() as session:
        taken = await bulk_actions.take_item(session, action.id, 1)
        assert taken is not None
        assert not taken[1]
    await stop(database, action.id)
    async with database.transaction() as session:
        # The second one's turn had come when the stop did.
        assert await bulk_actions.take_item(session, action.id, 2) is None
        again = await bulk_actions.take_item(session, action.id, 1)
        assert again is not None
        assert again[1]
        assert await bulk_actions.end_if_over(session, action.id) == 1
        assert await bulk_actions.end_item(session, action.id, 1, "taken", stage="waiting_money")
        assert await bulk_actions.end_if_over(session, action.id) == 0
    async with database.transaction() as session:
        found = await bulk_actions.get(session, action.id)
        assert found is not None
        assert (found.state, found.ended_at is not None) == ("stopped", True)
        assert [one.state for one in await bulk_actions.items(session, action.id)] == ["taken", "skipped"]


async def test_a_result_is_written_once(database: Database) -> None:
    action = await made(database, 1)
    async with database.transaction() as session:
        assert not await bulk_actions.end_item(session, action.id, 1, "taken")  # nobody has sent it
        await bulk_actions.take_item(session, action.id, 1)
        assert await bulk_actions.end_item(session, action.id, 1, "taken")
        assert not await bulk_actions.end_item(session, action.id, 1, "refused", code="ended")
        assert await bulk_actions.take_item(session, action.id, 1) is None
        assert await bulk_actions.counts(session, [action.id]) == {action.id: {"taken": 1}}


async def test_what_does_not_answer_comes_last(database: Database) -> None:
    action = await made(database, 3)
    async with database.transaction() as session:
        await bulk_actions.take_item(session, action.id, 1)
        assert await bulk_actions.tried(session, action.id, 1, code="saga_busy", detail="It did not answer.") == 1
        assert await bulk_actions.next_items(session, action, 3) == [2, 3, 1]
        assert await bulk_actions.left(session, action.id) == (3, 2)


async def test_one_form_is_one_action(database: Database) -> None:
    first, again = await made(database, form_key="frm_1"), await made(database, form_key="frm_1")
    assert again.id == first.id
    assert (await made(database, form_key="frm_2")).id != first.id
    assert (await made(database)).id != (await made(database)).id
