"""People's decisions, as their rows say them: read by the saga that they are about, and written into its timeline."""

from dataclasses import dataclass
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from core.errors import Conflict, NotFound
from models import kinds
from models.messages.saga.decisions import ReadDecision, RecordDecision, Resolution
from store.database import Database
from store.platform import approvals, people
from store.platform.approvals import Asked
from store.saga import cases, decisions, payouts, prompts, saga_rows, timeline

# What a person says of an attempt, once two agree that nothing moved: the question of these cases is answered.
_ANSWERED: Final = ["payout_unknown", "collection_unknown"]
_SAYS: Final = {
    "paid": "it was paid", "not_paid": "it was not paid", "posted": "it was posted by hand",
    "partial": "only what was paid is posted", "allocate": "whose money it is", "returned": "the money was given back",
}  # fmt: skip


@dataclass(frozen=True)
class Decisions:
    """Both may be repeated: a row never changes, and a timeline's line has a key."""

    database: Database

    @activity.defn(name="decisions.read")
    async def read(self, order: ReadDecision) -> Resolution:
        """Raises NotFound (code "unknown_decision"), Conflict (code "foreign_decision": it is about another saga)."""
        async with self.database.transaction() as session:
            row = await decisions.get(session, order.decision_id)
        if row is None:
            raise NotFound("Nobody made that decision.", code="unknown_decision")
        if row.workflow_id != order.workflow_id:
            raise Conflict("That decision is about another payment.", code="foreign_decision")
        return Resolution.model_validate(
            {
                **row.facts, "decision": row.decision, "evidence": row.evidence, "decision_id": row.id,
                "about": row.about, "person_id": row.person_id, "people": tuple(row.people),
            }
        )  # fmt: skip

    @activity.defn(name="decisions.record")
    async def record(self, order: RecordDecision) -> None:
        """The line, the stage that the list shows, and what two people's "not paid" closes."""
        said = order.said
        async with self.database.transaction() as session:
            (who,) = await people.names(session, [said.person_id])
            await timeline.write(
                session, order.workflow_id, f"decision:{said.decision_id}:{order.effect}", _words(order, who),
                tone="info" if order.effect in ("agreed", "seconded", "decided") else "warning", **_facts(said),
            )  # fmt: skip
            if order.stage is not None:
                await saga_rows.turn(session, order.workflow_id, order.from_stages, order.stage)
            await _keep_request(session, order)
            if order.settles is not None and order.agreed is not None:
                agreed = order.agreed
                code, detail = "resolved_not_paid", agreed.evidence[:500]
                await payouts.close_unpaid(session, order.settles, code=code, detail=detail)
                await prompts.close_unpaid(session, order.settles, code=code, detail=detail)
                await cases.close_of_workflow(
                    session,
                    order.workflow_id,
                    _ANSWERED,
                    by=agreed.decided_by,
                    resolution=f"not paid: {agreed.evidence}",
                )


async def _keep_request(session: AsyncSession, order: RecordDecision) -> None:
    """What is proposed asks others to agree; whatever ends that has reached the saga."""
    if order.request_id is None:
        return
    if order.effect == "proposed":
        await _ask(session, order.said, order.workflow_id, order.request_id)
    elif order.effect != "seconded":
        await approvals.end_of_workflow(session, order.workflow_id, "stale")  # if it is open: overtaken
        await approvals.told(session, order.request_id)


async def _ask(session: AsyncSession, said: Resolution, workflow_id: str, request_id: str) -> None:
    row, made = await saga_rows.of_workflow(session, workflow_id), await decisions.get(session, said.decision_id)
    kind = kinds.of_workflow(workflow_id)
    if row is None or made is None or kind is None:
        raise NotFound("No payment waits for that.", code="no_saga")
    await approvals.ask(
        session,
        Asked(
            act=kind.act(said.decision), scope=kind.scope("resolve"), house_only=not kind.partner_may_resolve,
            subject=workflow_id, partner_id=row.partner_id, workflow_id=workflow_id,
            content={"decision_id": said.decision_id, "decision": said.decision, "about": said.about, **made.facts},
            amount=row.at_stake, evidence=said.evidence, requested_by=said.person_id, requested_via=made.via,
            barred=said.people, request_id=request_id,
        ),
    )  # fmt: skip


def _words(order: RecordDecision, who: str) -> str:
    said = order.said
    what = _SAYS.get(said.decision, said.decision)
    if order.effect == "proposed":
        return f"{who} says that {what}: {said.evidence} Another person must agree."
    if order.effect == "overtaken":
        return f"What {who} proposed is void: the outcome became known before anybody agreed."
    if order.effect == "expired":
        return f"What {who} proposed has expired: nobody agreed in time."
    if order.effect in ("agreed", "seconded"):
        return f"{who} agrees: {said.evidence}"
    if order.effect == "declined":
        return f"{who} does not agree: {said.evidence}"
    return f"{who} decided that {what}: {said.evidence}"


def _facts(said: Resolution) -> dict[str, str]:
    facts = {"person": said.person_id, "about": said.about, "receipt": said.receipt}
    return {name: value for name, value in facts.items() if value}
