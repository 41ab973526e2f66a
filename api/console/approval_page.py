"""One request for approval: what exactly would be done, who asked and why, who answered, and one's own answer."""

from typing import Annotated, Any, Final

from fastapi import Form, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlmodel.ext.asyncio.session import AsyncSession

from api.console import kinds_shown, showing
from api.console.decision_fields import LongText
from api.console.forms import ConsoleForm
from api.console.payment_acts import read_decision
from api.console.routing import console_router, see_other
from api.console.visitors import Acting, Seen, Visitor
from api.http import problems
from api.http.dependencies import Services, ServicesDep
from api.http.values import id_pattern
from api.operations import approving
from api.operations.approvals import show
from api.operations.approvals_schemas import Approved, Rejected
from core.errors import KivukoError
from core.ids import APPROVAL
from models import kinds
from models.tables.platform.approval import ApprovalRequest
from store.platform import approvals, partners
from store.platform.approval_rules import Answer
from store.saga import saga_rows

router = console_router()

RequestId = Annotated[str, Path(pattern=id_pattern(APPROVAL))]
_PAGE: Final = "/console/approvals/{request_id}"


class ApprovalPageQuery(BaseModel):
    """`done` is what was done a moment ago."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    done: Annotated[str | None, Query(pattern=r"^(approve|reject)$")] = None


class AnswerForm(ConsoleForm):
    """`version` is that of the request as the page showed it: an answer never falls on another content."""

    version: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    reason: LongText = ""


class CodeForm(ConsoleForm):
    """A button."""


@router.get(_PAGE)
async def approval_page(
    request_id: RequestId, request: Request, services: ServicesDep, visitor: Seen,
    query: Annotated[ApprovalPageQuery, Query()],
) -> Response:  # fmt: skip
    return await _shown(request, services, visitor, request_id, done=query.done)


@router.post(f"{_PAGE}/approve")
async def approve(
    request_id: RequestId, request: Request, services: ServicesDep, visitor: Acting, form: Annotated[AnswerForm, Form()]
) -> Response:
    return await _answer(request, services, visitor, request_id, "approve", form)


@router.post(f"{_PAGE}/reject")
async def reject(
    request_id: RequestId, request: Request, services: ServicesDep, visitor: Acting, form: Annotated[AnswerForm, Form()]
) -> Response:
    return await _answer(request, services, visitor, request_id, "reject", form)


@router.post(f"{_PAGE}/code")
async def make_code(
    request_id: RequestId, request: Request, services: ServicesDep, visitor: Acting, form: Annotated[CodeForm, Form()]
) -> Response:
    """Shown on this answer alone and kept by its hash."""
    try:
        async with services.database.transaction() as session:
            _, code = await approving.give_code(session, services, visitor.principal, request_id)
    except KivukoError as error:
        return await _shown(request, services, visitor, request_id, error=error)
    return await _shown(request, services, visitor, request_id, code=approving.spelled(code))


async def _answer(
    request: Request, services: Services, visitor: Visitor, request_id: str, decision: Answer, form: AnswerForm
) -> Response:
    try:
        said = _said(decision, form)
        await approving.answer_and_tell(
            services, visitor.principal, request_id, decision,
            reason=said, version=form.version, as_person=None, channel="console", reply=_nothing,
        )  # fmt: skip
    except KivukoError as error:
        typed: dict[str, Any] = {decision: form.reason}
        return await _shown(request, services, visitor, request_id, error=error, typed=typed)
    return see_other(f"{_PAGE.format(request_id=request_id)}?done={decision}")


def _said(decision: Answer, form: AnswerForm) -> str | None:
    """As the API would read it. Raises InvalidRequest, naming the field."""
    if decision == "reject":
        refused: Rejected = read_decision(Rejected, {"reason": form.reason})
        return refused.reason
    agreed: Approved = read_decision(Approved, {"note": form.reason} if form.reason else {})
    return agreed.note


async def _nothing(_: AsyncSession, __: ApprovalRequest) -> None:
    """The page is read anew."""


async def _shown(
    request: Request, services: Services, visitor: Visitor, request_id: str, *, done: str | None = None,
    error: KivukoError | None = None, typed: dict[str, Any] | None = None, code: str | None = None,
) -> Response:  # fmt: skip
    """Raises NotFound, for another partner's too, and for an act that the visitor may not answer."""
    principal = visitor.principal
    async with services.database.transaction() as session:
        row = await approving.find(session, principal, request_id)
        one = await show(session, principal, row)
        given = await approvals.answers(session, row.id)
        needed = await approving.still_needed(session, row, given)
        partner = await partners.get(session, row.partner_id) if row.partner_id else None
        saga = await saga_rows.of_workflow(session, row.workflow_id) if row.workflow_id else None
    refused = approving.why_not(principal, row, given)
    kind = kinds.of_workflow(row.workflow_id or "")
    if kind is None or not visitor.may(kind, "read"):
        saga = None
    return showing.page(
        request, "approval.html", status=200 if error is None else problems.status_of(error),
        zone=visitor.zone_at(partner), one=one, partner=partner, needed=needed, refused=refused.code if refused else None,
        own=not principal.people.isdisjoint(row.barred), kind=kind,
        saga=saga, its_facts=kinds_shown.own_facts(kinds_shown.facts_of(kind, saga)) if kind and saga else {},
        temporal=showing.temporal_page(request, row.workflow_id) if row.workflow_id else None,
        done=done, error=error, typed=typed or {}, code=code,
    )  # fmt: skip
