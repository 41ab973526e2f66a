"""Everything that the page of one payment shows, whatever its kind."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.console import kinds_shown
from api.console.offers import Acts, acts_of
from api.console.visitors import Visitor
from api.http.dependencies import Services
from api.saga import commands, deciding
from api.saga.positions import Position, position_of
from api.saga.schemas import SagaNow
from core.errors import InvalidRequest
from core.msisdn import Msisdn
from ledger import bookings
from models.kinds import SagaKind
from models.messages.saga.status import SagaStatus
from models.tables.platform.approval import ApprovalDecision
from models.tables.platform.partner import Partner
from models.tables.saga.decision import Decision
from models.tables.saga.saga_row import SagaRow
from store.platform import approvals, audit, exchanges, outbox, partners, people
from store.saga import cases, decisions, payouts, reads, timeline

TABS: Final = ("timeline", "calls", "bookings", "messages", "decisions")
CALLS: Final = 50
_LISTS: Final = ("attempts", "prompts")
# Shown by themselves, not among the plain facts.
_APART: Final = frozenset({"amount", "saga", "payment", *_LISTS})


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment, as it is now."""

    kind: SagaKind
    row: SagaRow
    partner: Partner
    zone: ZoneInfo
    position: Position
    status: SagaStatus | None
    acts: Acts
    seen: str  # the attempt that was looked at; a decision about it must not fall on a later one
    facts: dict[str, Any]
    detail: dict[str, Any]
    open_cases: list[Any]
    names: dict[str, str]  # of the people behind ids

    @property
    def tone(self) -> str:
        return kinds_shown.tone_of(self.row)

    @property
    def amount(self) -> Any:
        return self.facts.get("amount")

    @property
    def currency(self) -> str:
        return kinds_shown.currency_of(self.row)

    @property
    def subject(self) -> str:
        return kinds_shown.subject_of(self.facts)

    @property
    def plain_facts(self) -> dict[str, Any]:
        """What its kind alone has, without what stands elsewhere on the page."""
        return {name: value for name, value in kinds_shown.own_facts(self.detail).items() if name not in _APART}

    @property
    def path(self) -> str:
        return f"/console{self.kind.path}/{self.row.id}"


async def payment_of(services: Services, visitor: Visitor, kind: SagaKind, row_id: str) -> Payment:
    """Raises NotFound, for another partner's too."""
    resource = kinds_shown.resource_of(kind)
    row: SagaRow = await resource.find(services, visitor.principal, row_id)
    status = await commands.query_status(services, row)
    async with services.database.transaction() as session:
        partner = await partners.get(session, row.partner_id)
        attempts = await payouts.of_workflow(session, row.workflow_id)
        prompts = await reads.prompts(session, row.workflow_id)
        read = dict(await resource.detail(session, row))
        waiting = status.proposal if status else None
        proposed = await decisions.get(session, waiting.decision_id) if waiting else None
        barred = await approvals.barred_from(session, waiting.request_id) if waiting else frozenset()
        asked = [row.requested_by, *([proposed.person_id] if proposed else [])]
        names = await people.behind(session, asked)
        open_cases = await cases.page(session, state="open", workflow_id=row.workflow_id, limit=10)
    now = SagaNow.of(status) if status else None
    detail = resource.detail_out.model_validate({**resource.out.facts(row), **read, "saga": now})
    arrived = getattr(row, "incoming_id", None) is not None
    return Payment(
        kind=kind, row=row, partner=partner, status=status, names=names, open_cases=open_cases,
        zone=visitor.zone_at(partner),
        position=position_of(kind, row, [*attempts, *prompts], arrived=arrived),
        acts=acts_of(visitor, kind, row, status, barred),
        seen=await deciding.last_attempt(services, row), facts=kinds_shown.facts_of(kind, row),
        detail=detail.model_dump(mode="json"),
    )  # fmt: skip


async def tab_of(services: Services, row: SagaRow, tab: str, before: int | None) -> dict[str, Any]:
    """What one tab holds."""
    async with services.database.transaction() as session:
        if tab == "calls":
            found = await exchanges.page(session, workflow_id=row.workflow_id, before=before, limit=CALLS + 1)
            return {"calls": found[:CALLS], "older": found[CALLS - 1].id if len(found) > CALLS else None}
        if tab == "bookings":
            return {"bookings": await bookings.of_saga(session, row.workflow_id)}
        if tab == "messages":
            sent = await outbox.of_workflow(session, row.workflow_id)
            return {"messages": [(one, _hidden(one.recipient)) for one in sent]}
        if tab == "decisions":
            made = [
                *(_said(one, one.decision, one.evidence, one.facts)
                  for one in await decisions.of_workflow(session, row.workflow_id)),
                *(_said(one, "approve" if one.decision == "approve" else "decline", one.reason or "", {})
                  for one in await approvals.answers_about(session, row.workflow_id)),
            ]  # fmt: skip
            made.sort(key=lambda said: said.created_at)
            acts = await audit.about(session, row.id)
            who = await people.behind(session, [*(one.person_id for one in made), *(one.actor for one in acts)])
            return {"decisions": made, "audit": acts, "who": who}
        return {"events": await timeline.read(session, row.workflow_id)}


@dataclass(frozen=True, slots=True)
class Said:
    """What one person said, as the page shows it."""

    decision: str
    person_id: str
    created_at: datetime
    evidence: str
    facts: dict[str, Any]


def _said(row: Decision | ApprovalDecision, word: str, evidence: str, facts: dict[str, Any]) -> Said:
    return Said(word, row.person_id, row.created_at, evidence, facts)


def _hidden(recipient: str) -> str:
    """A phone without its middle; an address with its first letter and its domain."""
    name, at, domain = recipient.partition("@")
    if at:
        return f"{name[:1]}•••@{domain}"
    try:
        return Msisdn(recipient).masked
    except InvalidRequest:  # wiped, or no number
        return "•••"
