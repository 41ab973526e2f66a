"""A bulk action's commands, a few sagas at a time: each recorded, sent and answered for itself, as if by hand."""

import asyncio
from dataclasses import dataclass
from typing import Final, cast

from temporalio import activity
from temporalio.client import Client

from core.errors import Rejected, Transient
from models import kinds
from models.messages.bulk_actions import AT_ONCE, UPDATES, BulkCommand, ChunkDone, RunBulkAction
from models.messages.saga.decisions import RetryNow
from models.tables.saga.bulk_action import BulkAction
from models.tables.saga.saga_row import SagaRow
from store.database import Database
from store.platform import audit
from store.saga import bulk_actions, saga_rows
from temporal import commands

_TRIES: Final = 5  # of a saga that does not answer


@dataclass(frozen=True)
class BulkActing:
    database: Database
    client: Client

    @activity.defn(name="bulk_actions.run_chunk")
    async def run_chunk(self, order: RunBulkAction) -> ChunkDone:
        """Sends the command to the next of its sagas. May be repeated at any moment: an item with a result is passed over,
        and one that may have been sent is sent under the same id, for which a saga gives its first answer again."""
        async with self.database.transaction() as session:
            action = await bulk_actions.begin(session, order.bulk_id)
            if action is None:
                return ChunkDone(left=0)
            ordinals = await bulk_actions.next_items(session, action, AT_ONCE)
        told = await asyncio.gather(*(self._one(action, ordinal) for ordinal in ordinals), return_exceptions=True)
        if broken := next((one for one in told if isinstance(one, BaseException)), None):
            raise broken  # Temporal cannot be reached, or a bug; what the others were told is written down
        async with self.database.transaction() as session:
            left = await bulk_actions.end_if_over(session, action.id)
            _, untried = await bulk_actions.left(session, action.id)
        return ChunkDone(left=left, pause=left > 0 and untried == 0)

    async def _one(self, action: BulkAction, ordinal: int) -> None:
        command = cast(BulkCommand, action.command)
        update, said = UPDATES[command], RetryNow(actor=action.requested_via, note=action.reason)
        async with self.database.transaction() as session:
            taken = await bulk_actions.take_item(session, action.id, ordinal)
            if taken is None:
                return
            item, again = taken
            assert item.workflow_id is not None, item.saga_id
            saga = await saga_rows.of_workflow(session, item.workflow_id)
            assert saga is not None, item.workflow_id  # rows of sagas are never deleted
            if not again:
                await audit.command(
                    session, actor=action.requested_via, action=_act(action, update), subject=saga.id,
                    workflow_id=saga.workflow_id, stage=saga.stage,
                    said={"note": action.reason, "bulk_action": action.id},
                )  # fmt: skip
        try:
            answer = await commands.send_update(
                self.client, saga, update, said, f"blk:{action.id}:{ordinal}", repeatable=again
            )
        except Rejected as refusal:
            await self._refused(action, ordinal, saga, update, refusal)
        except Transient as silence:
            await self._silent(action, ordinal, silence)
        else:
            async with self.database.transaction() as session:
                await bulk_actions.end_item(session, action.id, ordinal, "taken", stage=answer.stage)

    async def _refused(self, action: BulkAction, ordinal: int, saga: SagaRow, update: str, refusal: Rejected) -> None:
        async with self.database.transaction() as session:
            if await bulk_actions.end_item(
                session, action.id, ordinal, "refused", stage=saga.stage, code=refusal.code, detail=refusal.detail
            ):
                await audit.refused(
                    session, actor=action.requested_via, action=_act(action, update), subject=saga.id,
                    code=refusal.code,
                )  # fmt: skip

    async def _silent(self, action: BulkAction, ordinal: int, silence: Transient) -> None:
        async with self.database.transaction() as session:
            tries = await bulk_actions.tried(
                session, action.id, ordinal, code=silence.code, detail=silence.detail
            )  # fmt: skip
            if tries >= _TRIES:
                await bulk_actions.end_item(
                    session, action.id, ordinal, "unanswered", code=silence.code, detail=silence.detail
                )


def _act(action: BulkAction, update: str) -> str:
    """As the audit log names the same command given by hand."""
    return f"{kinds.named(action.kind).acts}.{update}"
