"""From a claimed row to its running saga: the request is made of the row alone, so that whoever finds a row that was never
started (a crash between claim and start) starts the same saga."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib import import_module
from typing import cast

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from models import kinds
from models.messages.base import Message
from models.tables.saga.saga_row import SagaRow
from store.database import Database
from temporal.queues import FLOWS_QUEUE
from temporal.search_attributes import PARTNER, PROVIDER, STAGE

# What each kind's store file has under the name `request`: the saga's input, made of its row.
Request = Callable[[AsyncSession, SagaRow], Awaitable[Message]]


async def start_row(client: Client, database: Database, row: SagaRow) -> None:
    """Starts the saga of a claimed row, unless it runs or ran already: one per workflow id, for ever. A row in PostgreSQL is
    the true guard against a second one, Temporal answers quickest. Raises RPCError if Temporal cannot be reached."""
    kind = kinds.of_row(row)
    request = cast(Request, import_module(kind.module("store")).request)
    async with database.transaction() as session:
        message = await request(session, row)
    with suppress(WorkflowAlreadyStartedError):
        await client.start_workflow(
            kind.workflow,
            message,
            id=row.workflow_id,
            task_queue=FLOWS_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"{kind.word.capitalize()} {row.id}",
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(STAGE, "requested"),
                    SearchAttributePair(PARTNER, row.partner_id),
                    SearchAttributePair(PROVIDER, kind.rail),
                ]
            ),
            # A large lender's backlog must not make a small one wait.
            priority=Priority(fairness_key=row.partner_id),
        )
