"""Decisions as the API writes them, for tests that speak to sagas without it."""

import asyncio
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from temporalio.client import Client, WorkflowUpdateFailedError

from core.clock import utc_now
from core.crypto import sha256_hex
from core.ids import API_KEY, DECISION, PERSON, derived_id, new_id
from models.messages.saga.decisions import CommandTaken, DecisionMade, RetryNow
from models.messages.saga.status import SagaStatus
from models.tables.base import table_of
from models.tables.platform.security import ApiKey, Person
from store.database import Database
from store.saga import decisions

EVIDENCE = "seen on the portal"


def person_of(name: str) -> str:
    return derived_id(PERSON, name)


async def decided(
    database: Database,
    workflow_id: str,
    decision: str,
    *,
    by: str,
    about: str | None,
    evidence: str = EVIDENCE,
    people: tuple[str, ...] = (),
    **facts: Any,
) -> str:
    """The id of a decision's row. `people`: who made the key of the person who decides."""
    key_id, decision_id = derived_id(API_KEY, by), new_id(DECISION)
    now = utc_now()
    async with database.transaction() as session:
        await session.exec(
            insert(table_of(Person))
            .values(id=person_of(by), name=by, created_at=now, created_by="test")
            .on_conflict_do_nothing()
        )
        await session.exec(
            insert(table_of(ApiKey))
            .values(
                id=key_id, name=by, scopes=["admin"], prefix=by[:8], hash=sha256_hex(by), person_id=person_of(by),
                makers=[], created_at=now, created_by="test",
            )
            .on_conflict_do_nothing()
        )  # fmt: skip
        await decisions.add(
            session,
            decision_id=decision_id,
            workflow_id=workflow_id,
            about=about or "",
            decision=decision,
            facts=facts,
            evidence=evidence,
            person_id=person_of(by),
            key_id=key_id,
            people=sorted({person_of(by), *map(person_of, people)}),
        )
    return decision_id


async def send(client: Client, workflow_id: str, decision_id: str, **more: Any) -> CommandTaken:
    """The update as anybody who can reach Temporal may send it."""
    taken: CommandTaken = await client.get_workflow_handle(workflow_id).execute_update(
        "resolve", DecisionMade(decision_id=decision_id), id=new_id("cmd"), result_type=CommandTaken, **more
    )
    return taken


async def decide_in_time(
    client: Client, database: Database, workflow_id: str, decision: str, *, by: str, **more: Any
) -> CommandTaken:
    """The same by somebody who, as long as it is too early to say it, has the provider asked and comes again."""
    for tries in range(75):
        try:
            return await decide(client, database, workflow_id, decision, by=by, **more)
        except WorkflowUpdateFailedError as refused:
            if getattr(refused.cause, "type", None) != "too_early":
                raise
            if tries % 12 == 11:  # not while its answer to the last question is awaited
                command = RetryNow(actor=by)
                await client.get_workflow_handle(workflow_id).execute_update("retry", command, id=new_id("cmd"))
            await asyncio.sleep(0.2)
    return await decide(client, database, workflow_id, decision, by=by, **more)


async def decide(
    client: Client, database: Database, workflow_id: str, decision: str, *, by: str, **more: Any
) -> CommandTaken:
    """What the API does for an authenticated person: asks what it is about, writes the row, tells the saga."""
    handle = client.get_workflow_handle(workflow_id)
    status: SagaStatus = await handle.query("status", result_type=SagaStatus)
    about = status.question
    if decision in ("approve", "decline"):
        about = status.proposal.decision_id if status.proposal else None
    return await send(client, workflow_id, await decided(database, workflow_id, decision, by=by, about=about, **more))
