"""What every kind of saga offers: a list, one that can be waited for, its timeline, and three things that people say to it.

A family adds what differs: `POST`, which starts one, and what only its own kind knows. FastAPI reads the types of an endpoint
when it is added, so each is written once with general types and given those of its resource by `_real_types`.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel

from api.http.auth import Principal, need
from api.http.dependencies import Services, ServicesDep
from api.http.idempotency import Idempotent, Keyed, Once
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.http.values import Moment, id_pattern
from api.saga import commands, deciding
from api.saga.deciding import Act
from api.saga.resource import R, Resource
from api.saga.schemas import ClientReference, CommandIn, CommandTakenOut, DecisionIn, EventOut, SagaNow, Timeline
from models.kinds import Verb
from models.messages.saga.decisions import CommandTaken, RetryNow
from models.statuses import Status
from store.saga import timeline
from store.saga.saga_rows import Filters

Wait = Annotated[float, Query(ge=0, le=120, description="Seconds to wait for an ended stage, bounded by us")]
StatusFilter = Annotated[Status | None, Query(description="How far, in the words that all kinds share")]
CreatedFrom = Annotated[Moment | None, Query(description="Asked for at this time or later")]
CreatedBefore = Annotated[Moment | None, Query(description="Asked for before this time")]
ReferenceFilter = Annotated[ClientReference | None, Query(description="The caller's own name for it")]
_COMMAND_PROBLEMS: Final = problems(404, "wrong_stage", "ended", "idempotency_key_reused", "saga_busy", *WRITES)
_DECISION_PROBLEMS: Final = problems(
    404, "wrong_stage", "ended", "another_attempt", "receipt_taken", "superseded", "four_eyes", "too_early",
    "idempotency_key_reused", "saga_busy", *WRITES,
)  # fmt: skip


def saga_routes(resource: Resource[R]) -> APIRouter:
    """A router with `GET` list, one and events, `POST` resolve, retry and cancel, for the family to add its own to."""
    router = APIRouter(prefix=resource.path, tags=[resource.tag], dependencies=KNOWN_PARAMETERS)
    _add_list(router, resource)
    _add_read(router, resource)
    _add_events(router, resource)
    _add_resolve(router, resource)
    _add_command(router, resource, "retry", "retry", "Go on at once instead of at the end of a wait", None)
    words = resource.words
    _add_command(router, resource, "cancel", "cancel_request", words.cancel, words.cancel_notes)
    return router


async def taken(services: Services, once: Once, row_id: str, said: CommandTaken) -> Response:
    """The answer to a command that the saga took, remembered under the Idempotency-Key."""
    async with services.database.transaction() as session:
        return await once.reply(session, CommandTakenOut(id=row_id, stage=said.stage, at=said.at), status=200)


def _add_list(router: APIRouter, resource: Resource[R]) -> None:
    out = cast(type[BaseModel], resource.out)

    async def endpoint(
        services: ServicesDep,
        principal: Principal,
        partner_id: PartnerFilter = None,
        stage: str | None = None,
        status: StatusFilter = None,
        created_from: CreatedFrom = None,
        created_before: CreatedBefore = None,
        client_reference: ReferenceFilter = None,
        cursor: IdCursor = None,
        limit: Limit = 50,
    ) -> Page[Any]:
        only = Filters(status, created_from, created_before, client_reference)
        rows = await resource.page(
            services, principal, partner_id=partner_id, stage=stage, before=cursor, limit=limit + 1, only=only
        )
        return page(rows, limit, lambda row: out.model_validate(resource.out.facts(row)), lambda row: row.id)

    _real_types(endpoint, principal=_may(resource, "read"), stage=_optional(resource.stage))
    router.add_api_route(
        "",
        endpoint,
        methods=["GET"],
        name=f"list_{resource.name}s",
        response_model=_page_of(out),
        responses=problems(404),
        summary=f"List {resource.words.many}, newest first",
    )


def _add_read(router: APIRouter, resource: Resource[R]) -> None:
    async def endpoint(
        row_id: str, request: Request, services: ServicesDep, principal: Principal, wait: Wait = 0
    ) -> BaseModel:
        row = await resource.wait_for(services, principal, row_id, request, wait)
        status = await commands.query_status(services, row)
        async with services.database.transaction() as session:
            facts = {**resource.out.facts(row), **await resource.detail(session, row)}
        return resource.detail_out.model_validate({**facts, "saga": SagaNow.of(status) if status else None})

    _real_types(endpoint, row_id=_row_id(resource), principal=_may(resource, "read"))
    router.add_api_route(
        _one(resource),
        endpoint,
        methods=["GET"],
        name=f"get_{resource.name}",
        response_model=resource.detail_out,
        responses=problems(404),
        summary=f"One {resource.words.one}; `wait` for its end",
    )


def _add_events(router: APIRouter, resource: Resource[R]) -> None:
    async def endpoint(row_id: str, services: ServicesDep, principal: Principal) -> Timeline:
        row = await resource.find(services, principal, row_id)
        async with services.database.transaction() as session:
            events = await timeline.read(session, row.workflow_id)
        return Timeline(items=[EventOut.of(event) for event in events])

    _real_types(endpoint, row_id=_row_id(resource), principal=_may(resource, "read"))
    router.add_api_route(
        f"{_one(resource)}/events",
        endpoint,
        methods=["GET"],
        name=f"list_{resource.name}_events",
        responses=problems(404),
        summary="Its timeline, oldest first",
    )


def _add_resolve(router: APIRouter, resource: Resource[R]) -> None:
    async def endpoint(
        row_id: str, wanted: DecisionIn, services: ServicesDep, principal: Principal, once: Once
    ) -> Response:
        row = await resource.find(services, principal, row_id)
        verdict = wanted.verdict
        act = Act(principal, row, f"{resource.acts}.resolve", row.id, once.key)
        return await taken(
            services, once, row.id, await deciding.decide(services, act, verdict, meant=verdict.reference)
        )

    _real_types(
        endpoint,
        row_id=_row_id(resource),
        wanted=resource.decision,
        principal=_may(resource, "resolve"),
        once=Keyed if resource.decision_needs_key else Idempotent,
    )
    router.add_api_route(
        f"{_one(resource)}/resolve",
        endpoint,
        methods=["POST"],
        name=f"resolve_{resource.name}",
        response_model=CommandTakenOut,
        responses=_DECISION_PROBLEMS,
        summary=resource.words.resolve,
        description=resource.words.resolve_notes,
    )


def _add_command(
    router: APIRouter, resource: Resource[R], verb: str, update: str, summary: str, notes: str | None
) -> None:
    async def endpoint(
        row_id: str,
        services: ServicesDep,
        principal: Principal,
        once: Idempotent,
        wanted: CommandIn | None = None,
    ) -> Response:
        row = await resource.find(services, principal, row_id)
        retry = RetryNow(actor=principal.id, note=wanted.note if wanted else "")
        act = Act(principal, row, f"{resource.acts}.{update}", row.id, once.key)
        return await taken(services, once, row.id, await deciding.command(services, act, update, retry))

    _real_types(endpoint, row_id=_row_id(resource), principal=_may(resource, "write"))
    router.add_api_route(
        f"{_one(resource)}/{verb}",
        endpoint,
        methods=["POST"],
        name=f"{verb}_{resource.name}",
        response_model=CommandTakenOut,
        responses=_COMMAND_PROBLEMS,
        summary=summary,
        description=notes,
    )


def _real_types(endpoint: Callable[..., Any], **types: object) -> None:
    endpoint.__annotations__.update(types)


def _may(resource: Resource[R], verb: Verb) -> object:
    """The principal, if its key has the resource's scope for this."""
    return Annotated[Principal, Depends(need(resource.kind.scope(verb)))]


def _one(resource: Resource[R]) -> str:
    return f"/{{{resource.id_field}}}"


def _row_id(resource: Resource[R]) -> object:
    return Annotated[str, Path(alias=resource.id_field, pattern=id_pattern(resource.kind.id_prefix))]


def _optional(kind: Any) -> object:
    return kind | None


def _page_of(model: Any) -> object:
    return Page[model]
