"""What people do with a payment from its page: go on at once, stop, decide with evidence. The same way as by the API."""

from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import Form, Request, Response
from pydantic import Field, StringConstraints, ValidationError

from api.console import kinds_shown
from api.console.decision_fields import DecisionFields
from api.console.forms import ConsoleForm, ShortText
from api.console.payment_list import need
from api.console.payment_page import PageQuery, of_row, shown
from api.console.routing import console_router, see_other
from api.console.visitors import Acting
from api.http.dependencies import ServicesDep
from api.http.field_words import sentence
from api.saga import deciding
from api.saga.deciding import Act
from api.saga.schemas import DecisionIn
from core.errors import InvalidRequest, KivukoError
from models.kinds import KINDS, SagaKind
from models.messages.saga.decisions import RetryNow, Verdict
from models.tables.saga.saga_row import SagaRow
from store.platform import partners

router = console_router()

# The update that a command sends, by its word on the page.
_UPDATES: Final = {"retry": "retry", "cancel": "cancel_request"}
FormKey = Annotated[str, StringConstraints(pattern=r"^frm_[0-9a-hjkmnp-tv-z]{26}$")]


class CommandForm(ConsoleForm):
    """`key` is the form's own: sent twice, it is done once."""

    key: FormKey
    note: Annotated[ShortText, Field(max_length=200)] = ""


class DecisionForm(DecisionFields):
    """`seen` is the attempt that the page showed; a decision must not fall on a later one."""

    key: FormKey
    seen: ShortText = ""


def _add(kind: SagaKind) -> None:
    resource = kinds_shown.resource_of(kind)

    async def commanded(
        row_id: str, request: Request, services: ServicesDep, visitor: Acting, form: Annotated[CommandForm, Form()]
    ) -> Response:
        need(visitor, kind)
        word = request.url.path.rpartition("/")[2]
        principal = visitor.principal
        try:
            row: SagaRow = await resource.find(services, principal, row_id)
            deciding.need_to_command(principal, row.workflow_id)
            update = _UPDATES[word]
            act = Act(principal, row, f"{resource.acts}.{update}", row.id, form.key, channel="console")
            await deciding.command(services, act, update, RetryNow(actor=principal.id, note=form.note))
        except KivukoError as error:
            return await shown(request, services, visitor, kind, row_id, PageQuery(), error=error)
        return see_other(f"/console{kind.path}/{row.id}?done={word}")

    async def decided(
        row_id: str, request: Request, services: ServicesDep, visitor: Acting, form: Annotated[DecisionForm, Form()]
    ) -> Response:
        need(visitor, kind)
        try:
            row: SagaRow = await resource.find(services, visitor.principal, row_id)
            async with services.database.transaction() as session:
                zone = visitor.zone_at(await partners.get(session, row.partner_id))
            verdict = _verdict(kind, row, form, zone)
            act = Act(visitor.principal, row, f"{resource.acts}.resolve", row.id, form.key, channel="console")
            await deciding.decide(services, act, verdict, meant=form.seen)
        except KivukoError as error:
            typed = form.model_dump(exclude={"csrf", "key"})
            return await shown(request, services, visitor, kind, row_id, PageQuery(), error=error, typed=typed)
        return see_other(f"/console{kind.path}/{row.id}?done={form.decision}")

    for word, endpoint in (("retry", commanded), ("cancel", commanded), ("decide", decided)):
        endpoint.__annotations__["row_id"] = of_row(kind)
        router.add_api_route(
            f"/console{kind.path}/{{row_id}}/{word}", endpoint, methods=["POST"], name=f"console_{kind.leaf}_{word}"
        )


def _verdict(kind: SagaKind, row: SagaRow, form: DecisionForm, zone: ZoneInfo) -> Verdict:
    """As the API would read it. Raises InvalidRequest, naming the field."""
    resource = kinds_shown.resource_of(kind)
    body = form.body(zone, kinds_shown.currency_of(row))
    if "reference" in resource.decision.model_fields and form.seen:
        body["reference"] = form.seen
    known = {name: value for name, value in body.items() if name in resource.decision.model_fields}
    read: DecisionIn = read_decision(resource.decision, known)
    return read.verdict


def read_decision(model: Any, body: dict[str, Any]) -> Any:
    """The body as this model. Raises InvalidRequest for the first field that breaks a rule."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "form"
        said = sentence(first["type"], first["msg"], first.get("ctx") or {})
        raise InvalidRequest(f"{field.replace('_', ' ')}: {said}.", code=first["type"], field=field) from None


for _kind in KINDS:
    _add(_kind)
