"""Decisions as the API writes them, for tests that speak to sagas without it."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client, WorkflowUpdateFailedError

from core.clock import utc_now
from core.crypto import sha256_hex
from core.errors import Conflict
from core.ids import API_KEY, DECISION, PERSON, derived_id, new_id
from models.messages.saga.approvals import Decide
from models.messages.saga.decisions import CommandTaken, DecisionMade, RetryNow
from models.messages.saga.status import SagaStatus
from models.tables.base import table_of
from models.tables.platform.security import ApiKey, Person
from store.database import Database
from store.platform import approvals
from store.platform.approval_rules import Answer, Answerer
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
    decision_id = new_id(DECISION)
    async with database.transaction() as session:
        via = await known(session, by)
        await decisions.add(
            session,
            decision_id=decision_id,
            workflow_id=workflow_id,
            about=about or "",
            decision=decision,
            facts=facts,
            evidence=evidence,
            person_id=person_of(by),
            via=via,
            people=sorted({person_of(by), *map(person_of, people)}),
        )
    return decision_id


async def known(session: AsyncSession, by: str) -> str:
    """The id of a key of somebody of this name, who is made if nobody has it."""
    key_id, now = derived_id(API_KEY, by), utc_now()
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
    return key_id


async def answered(
    database: Database,
    workflow_id: str,
    answer: Answer,
    *,
    by: str,
    evidence: str = EVIDENCE,
    people: tuple[str, ...] = (),
) -> str:
    """The id of the request that waits, once this person has answered it. Raises what `approvals.answer` does."""
    async with database.transaction() as session:
        row = await approvals.last_of_workflow(session, workflow_id)
        if row is None or row.state != "open":
            raise Conflict("Nothing waits for approval.", code="wrong_stage")
        who = Answerer(person_of(by), frozenset(map(person_of, (by, *people))), await known(session, by), "api")
        await approvals.answer(session, row, who, answer, reason=evidence)
        return row.id


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


async def refused(deciding: Awaitable[Any]) -> str:
    """The code of the refusal, whether the saga refuses or what it asked others for."""
    with pytest.raises((WorkflowUpdateFailedError, Conflict)) as error:
        await deciding
    refusal: Any = error.value
    return str(refusal.code if isinstance(refusal, Conflict) else getattr(refusal.cause, "type", None))


async def decide(
    client: Client, database: Database, workflow_id: str, decision: str, *, by: str, **more: Any
) -> CommandTaken:
    """What the API does for an authenticated person: asks what it is about, writes the row, tells the saga."""
    handle = client.get_workflow_handle(workflow_id)
    if decision in ("approve", "decline"):
        answer: Answer = "approve" if decision == "approve" else "reject"
        request = Decide(request=await answered(database, workflow_id, answer, by=by, **more))
        taken: CommandTaken = await handle.execute_update("decide", request, id=new_id("cmd"), result_type=CommandTaken)
        return taken
    status: SagaStatus = await handle.query("status", result_type=SagaStatus)
    about = status.question
    return await send(client, workflow_id, await decided(database, workflow_id, decision, by=by, about=about, **more))
