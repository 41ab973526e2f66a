"""What any saga writes down between its steps."""

from dataclasses import dataclass

from temporalio import activity

from models.messages.saga.status import Progress
from notices.outbox import tell_partner
from store.database import Database
from store.platform import partners
from store.saga import cases, saga_rows, timeline


@dataclass(frozen=True)
class SagaBooks:
    """May be repeated: a line, a case and a message have keys, and an ended row no longer changes."""

    database: Database

    @activity.defn(name="sagas.note")
    async def note(self, progress: Progress) -> None:
        """A line in the timeline; with it, as asked, a stage, a case and a word to the partner."""
        case = progress.case
        async with self.database.transaction() as session:
            is_new = await timeline.write(
                session, progress.workflow_id, progress.key, progress.text, tone=progress.tone, **progress.facts
            )
            if progress.stage:
                await saga_rows.change(
                    session,
                    progress.workflow_id,
                    stage=progress.stage,
                    reason_code=progress.code,
                    reason=progress.text[:500],
                )
            if case:
                await cases.open_case(
                    session,
                    key=f"{progress.workflow_id}:{case.kind}" + (f":{case.about}" if case.about else ""),
                    kind=case.kind,
                    summary=case.summary[:500],
                    evidence={**progress.facts, "code": progress.code or "-"},
                    actions=list(case.actions),
                    partner_id=progress.partner_id,
                    workflow_id=progress.workflow_id,
                    # The next movement's doubt must not stand under the evidence of the one before.
                    replaces=is_new and case.kind == "payout_unknown",
                )
            if progress.tell_partner:
                await tell_partner(
                    session, progress.tell_partner, key=f"{progress.workflow_id}:{progress.tell_partner}:{progress.key}",
                    contacts=await partners.contacts(session, progress.partner_id), partner_id=progress.partner_id,
                    workflow_id=progress.workflow_id, facts=progress.notice,
                )  # fmt: skip
