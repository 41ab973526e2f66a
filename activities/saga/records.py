"""What any saga writes down between its steps, and at its end."""

from dataclasses import dataclass
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from models.messages.saga.cases import HEALING, KINDS
from models.messages.saga.status import TimelineEvent, Tone
from notices.outbox import notify_partner
from store.database import Database
from store.platform import partners
from store.saga import cases, saga_rows, timeline


@dataclass(frozen=True)
class Records:
    """May be repeated: a line, a case and a message have keys, and an ended row no longer changes."""

    database: Database

    @activity.defn(name="records.record")
    async def record(self, event: TimelineEvent) -> None:
        """A line in the timeline; with it, as asked, a stage, a case and a word to the partner."""
        async with self.database.transaction() as session:
            is_new = await timeline.write(
                session, event.workflow_id, event.key, event.text, tone=event.tone, **event.facts
            )
            if event.stage or (event.code and event.case is None):
                values: dict[str, Any] = {"reason_code": event.code, "reason": event.text[:500]}
                values |= {"stage": event.stage} if event.stage else {}
                values |= {"next_try_at": event.again_at} if event.again_at else {}
                await saga_rows.change(session, event.workflow_id, ended=False, **values)
            if event.case:
                await self._open_case(session, event, is_new=is_new)
            if event.notice:
                await notify_partner(
                    session, event.notice.event, key=f"{event.workflow_id}:{event.notice.event}:{event.key}",
                    contacts=await partners.contacts(session, event.partner_id), partner_id=event.partner_id,
                    workflow_id=event.workflow_id, facts=event.notice.facts,
                )  # fmt: skip

    @staticmethod
    async def _open_case(session: AsyncSession, event: TimelineEvent, *, is_new: bool) -> None:
        case = event.case
        assert case is not None
        await cases.open_case(
            session,
            key=f"{event.workflow_id}:{case.kind}" + (f":{case.about}" if case.about else ""),
            kind=case.kind,
            summary=case.summary[:500],
            evidence={**event.facts, "code": event.code or "-"},
            actions=list(KINDS[case.kind].actions),
            partner_id=event.partner_id,
            workflow_id=event.workflow_id,
            # The next movement's doubt must not stand under the evidence of the one before.
            replaces=is_new and case.kind == "payout_unknown",
        )


async def end_row(
    session: AsyncSession,
    workflow_id: str,
    *,
    stage: str,
    line: str,
    text: str,
    tone: Tone,
    resolution: str,
    code: str | None = None,
    detail: str | None = None,
    facts: dict[str, str] | None = None,
    **values: object,
) -> None:
    """The end of every saga, in the transaction of its last step: the timeline's last line under the key `line`, the cases
    that the saga got over closed with `resolution`, the row ended. The caller has locked the living row."""
    given = {"code": code} if code else {}
    await timeline.write(session, workflow_id, line, text, tone=tone, **given, **(facts or {}))
    await cases.close_of_workflow(session, workflow_id, list(HEALING), resolution=resolution)
    await saga_rows.change(
        session, workflow_id, ended=True, stage=stage, reason_code=code, reason=detail and detail[:500], **values
    )
