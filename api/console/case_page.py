"""One case: its evidence, its saga, and what may be done about it."""

from typing import Annotated, Any, Final

from fastapi import Form, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from api.console import kinds_shown, showing
from api.console.decision_fields import DecisionFields, LongText
from api.console.forms import ConsoleForm, ShortText
from api.console.offers import Act, acts_of
from api.console.payment_acts import FormKey, read_decision
from api.console.payment_list import need
from api.console.routing import console_router, see_other
from api.console.visitors import Acting, Seen, Visitor
from api.http import problems
from api.http.dependencies import Services, ServicesDep
from api.http.values import id_pattern
from api.operations import case_acts
from api.operations.cases_schemas import CaseAct, CaseClose, CaseOut
from api.saga import commands
from core.errors import KivukoError
from core.ids import CASE, new_id
from models import kinds
from models.kinds import PAYOUTS
from models.messages.saga.cases import FACTS_OF
from models.messages.saga.status import SagaStatus
from models.tables.saga.case import Case
from models.tables.saga.saga_row import SagaRow
from store.platform import approvals, partners, people
from store.saga import saga_rows, timeline

router = console_router()

CaseId = Annotated[str, Path(pattern=id_pattern(CASE))]
_PAGE: Final = "/console/cases/{case_id}"
# What stands above its evidence already.
_LIFTED: Final = ("amount", "receipt", "phone", "account", "reference")


class CasePageQuery(BaseModel):
    """`done` is what was done a moment ago."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    done: Annotated[str | None, Query(pattern=r"^[a-z_-]{1,40}$")] = None


class ActForm(DecisionFields):
    """A decision about what the case's saga waits for. `key` is the form's own: sent twice, it is done once."""

    key: FormKey
    seen: ShortText = ""


class CloseForm(ConsoleForm):
    """Why it needs nobody any more."""

    reason: LongText = ""


@router.get(_PAGE)
async def case_page(
    case_id: CaseId, request: Request, services: ServicesDep, visitor: Seen, query: Annotated[CasePageQuery, Query()]
) -> Response:
    need(visitor, PAYOUTS)
    return await _shown(request, services, visitor, case_id, done=query.done)


@router.post(f"{_PAGE}/take")
async def take(case_id: CaseId, request: Request, services: ServicesDep, visitor: Acting) -> Response:
    try:
        async with services.database.transaction() as session:
            await case_acts.take(session, visitor.principal, case_id)
    except KivukoError as error:
        return await _shown(request, services, visitor, case_id, error=error)
    return see_other(f"/console/cases/{case_id}?done=take")


@router.post(f"{_PAGE}/give-back")
async def give_back(case_id: CaseId, request: Request, services: ServicesDep, visitor: Acting) -> Response:
    try:
        async with services.database.transaction() as session:
            await case_acts.give_back(session, visitor.principal, case_id)
    except KivukoError as error:
        return await _shown(request, services, visitor, case_id, error=error)
    return see_other(f"/console/cases/{case_id}?done=give-back")


@router.post(f"{_PAGE}/act")
async def act(
    case_id: CaseId, request: Request, services: ServicesDep, visitor: Acting, form: Annotated[ActForm, Form()]
) -> Response:
    try:
        async with services.database.transaction() as session:
            case = await case_acts.find(session, visitor.principal, case_id)
            saga = await saga_rows.of_workflow(session, case.workflow_id) if case.workflow_id else None
            partner = await partners.get(session, case.partner_id) if case.partner_id else None
        body = form.body(visitor.zone_at(partner), kinds_shown.currency_of(saga) if saga else "")
        body["action"] = body.pop("decision")
        wanted: CaseAct = read_decision(CaseAct, body)
        await case_acts.act(services, visitor.principal, case_id, wanted, form.key)
    except KivukoError as error:
        typed = form.model_dump(exclude={"csrf", "key"})
        return await _shown(request, services, visitor, case_id, error=error, typed=typed)
    return see_other(f"/console/cases/{case_id}?done={form.decision}")


@router.post(f"{_PAGE}/close")
async def close(
    case_id: CaseId, request: Request, services: ServicesDep, visitor: Acting, form: Annotated[CloseForm, Form()]
) -> Response:
    try:
        wanted: CaseClose = read_decision(CaseClose, {"reason": form.reason})
        async with services.database.transaction() as session:
            await case_acts.close(session, visitor.principal, case_id, wanted)
    except KivukoError as error:
        return await _shown(request, services, visitor, case_id, error=error, typed={"reason": form.reason})
    return see_other(f"/console/cases/{case_id}?done=close")


async def _shown(
    request: Request, services: Services, visitor: Visitor, case_id: str, *, done: str | None = None,
    error: KivukoError | None = None, typed: dict[str, Any] | None = None,
) -> Response:  # fmt: skip
    """Raises NotFound, for another partner's too."""
    async with services.database.transaction() as session:
        row = await case_acts.find(session, visitor.principal, case_id)
        saga = await saga_rows.of_workflow(session, row.workflow_id) if row.workflow_id else None
        events = await timeline.read(session, row.workflow_id) if row.workflow_id else []
        names = await people.behind(session, [one for one in (row.owner, row.closed_by) if one])
        zone = visitor.zone_at(await partners.get(session, row.partner_id) if row.partner_id else None)
    status = await commands.query_status(services, saga) if saga else None
    acts = await _acts(services, visitor, row, saga, status)
    shown = CaseOut.of(row)
    kind = kinds.of_workflow(row.workflow_id) if row.workflow_id else None
    evidence = {name: value for name, value in row.evidence.items() if name not in _LIFTED}
    return showing.page(
        request, "case.html", zone=zone, status=200 if error is None else problems.status_of(error), case=shown, saga=saga,
        kind=kind, now=status, events=events, names=names, acts=acts, evidence=evidence, done=done, error=error,
        typed=typed or {}, key=new_id("frm"), may=visitor.may(kind or PAYOUTS, "resolve"),
        lifted={name: getattr(shown, name) for name in _LIFTED if getattr(shown, name)},
        tone=kinds_shown.tone_of(saga) if saga else "plain",
        currency=kinds_shown.currency_of(saga) if saga else "",
    )  # fmt: skip


async def _acts(
    services: Services, visitor: Visitor, case: Case, saga: SagaRow | None, status: SagaStatus | None
) -> list[Act]:
    """What the case takes, as far as its saga takes it now. Nothing once it is closed, or where no saga waits."""
    kind = kinds.of_workflow(case.workflow_id or "")
    if case.state == "closed" or saga is None or kind is None or not case.actions:
        return []
    barred: frozenset[str] = frozenset()
    if status is not None and status.proposal is not None:
        async with services.database.transaction() as session:
            barred = await approvals.barred_from(session, status.proposal.request_id)
    found = acts_of(visitor, kind, saga, status, barred)
    now = {one.word: one for one in (*found.commands, *found.decisions)}
    silent = found.commands[0].refused if status is None else "refused.stage"
    may = visitor.may(kind, "resolve")  # the desk asks this of every act
    return [
        now[word] if word in now and may
        else Act(word, FACTS_OF.get(word, frozenset()), refused="refused.scope" if not may else silent)
        for word in case.actions if word not in ("approve", "decline") or word in now
    ]  # fmt: skip
