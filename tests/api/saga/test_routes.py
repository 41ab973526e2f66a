"""What `saga_routes` promises of every kind of saga: its endpoints, the scope of each, the problems that it may answer."""

import pkgutil
from dataclasses import replace
from importlib import import_module
from typing import Any, Final, NamedTuple

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

import api
from api.http import openapi
from api.lending.float_purchase_schemas import FloatDetail, FloatOut, FloatResolution
from api.saga.resource import Resource, Words
from api.saga.routes import saga_routes
from core.ids import new_id
from models.kinds import KINDS, named
from models.messages.lending.float_purchase import FloatStage
from models.tables.lending.float_purchase import FloatPurchase
from tests.api.conftest import Door
from tests.api.http.test_openapi import DOCUMENT

READ_PROBLEMS: Final = {"401", "403", "404", "422", "429", "503"}
WRITE_PROBLEMS: Final = READ_PROBLEMS | {"400", "409", "413", "415"}


class Promise(NamedTuple):
    """`name` is the operation's, of the resource's own."""

    name: str
    verb: str
    problems: set[str]
    parameters: set[str]


LIST_FILTERS: Final = {"partner_id", "stage", "status", "created_from", "created_before", "client_reference"}
PROMISED: Final = {
    ("get", ""): Promise("list_{}s", "read", READ_PROBLEMS, LIST_FILTERS | {"cursor", "limit"}),
    ("get", "/{id}"): Promise("get_{}", "read", READ_PROBLEMS, {"id", "wait"}),
    ("get", "/{id}/events"): Promise("list_{}_events", "read", READ_PROBLEMS, {"id"}),
    ("post", "/{id}/resolve"): Promise("resolve_{}", "resolve", WRITE_PROBLEMS, {"id", "Idempotency-Key"}),
    ("post", "/{id}/retry"): Promise("retry_{}", "write", WRITE_PROBLEMS, {"id", "Idempotency-Key"}),
    ("post", "/{id}/cancel"): Promise("cancel_{}", "write", WRITE_PROBLEMS, {"id", "Idempotency-Key"}),
}


def resources() -> list[Resource[Any]]:
    """Those of all families, found where they are."""
    found: dict[str, Resource[Any]] = {}
    for module in pkgutil.walk_packages(api.__path__, "api."):
        if module.name != "api.__main__":
            for value in vars(import_module(module.name)).values():
                if isinstance(value, Resource):
                    found[value.noun] = value
    return list(found.values())


EVERY: Final = [pytest.param(resource, id=resource.noun) for resource in resources()]
TEA: Final = Resource[FloatPurchase](
    kind=replace(named("float-purchase"), word="tea order"), id_field="order_id", stage=FloatStage, out=FloatOut,
    detail_out=FloatDetail, detail=lambda session, row: nothing(), decision=FloatResolution,
    words=Words(one="pot", many="pots", resolve="Say who drank it", cancel="Pour it away", cancel_notes="Cold or hot."),
)  # fmt: skip


async def nothing() -> dict[str, Any]:
    return {}


def promised(resource: Resource[Any], document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """The operations of the document that `PROMISED` names, by method and path, with the id's name taken out."""
    own = f"{{{resource.id_field}}}"
    found = {
        (method, path.removeprefix(resource.path).replace(own, "{id}")): operation
        for path, methods in document["paths"].items()
        if path == resource.path or path.startswith(f"{resource.path}/")
        for method, operation in methods.items()
    }
    return {key: operation for key, operation in found.items() if key in PROMISED}


def problems_of(operation: dict[str, Any]) -> set[str]:
    found = {status for status in operation["responses"] if status.startswith(("4", "5"))}
    for status in found:
        assert set(operation["responses"][status]["content"]) == {"application/problem+json"}
    return found


def parameters_of(operation: dict[str, Any], resource: Resource[Any]) -> set[str]:
    return {"id" if one["name"] == resource.id_field else one["name"] for one in operation.get("parameters", [])}


def test_a_resource_has_exactly_what_is_promised_and_is_named_after_its_noun() -> None:
    app = FastAPI(generate_unique_id_function=lambda route: route.name)
    router = saga_routes(TEA)
    app.include_router(router)
    openapi.install(app)
    document = app.openapi()
    assert len([route for route in router.routes if isinstance(route, APIRoute)]) == len(PROMISED)
    assert set(document["paths"]) == {
        "/api/v1/float-purchases", *(f"/api/v1/float-purchases/{{order_id}}{last}" for last in ("", *LASTS))
    }  # fmt: skip
    operations = promised(TEA, document)
    assert operations.keys() == PROMISED.keys()
    assert {one["tags"][0] for one in operations.values()} == {"tea orders"}
    assert operations["get", ""]["operationId"] == "list_tea_orders"
    assert operations["get", ""]["summary"] == "List pots, newest first"
    assert operations["get", "/{id}"]["summary"] == "One pot; `wait` for its end"
    assert operations["post", "/{id}/resolve"]["summary"] == "Say who drank it"
    assert operations["post", "/{id}/cancel"]["description"] == "Cold or hot."
    body = operations["post", "/{id}/resolve"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/FloatResolution"}


LASTS: Final = ("/events", "/resolve", "/retry", "/cancel")


@pytest.mark.parametrize("resource", [*EVERY, pytest.param(TEA, id="made up")])
def test_every_resource_makes_the_same_promises(resource: Resource[Any]) -> None:
    app = FastAPI(generate_unique_id_function=lambda route: route.name)
    app.include_router(saga_routes(resource))
    openapi.install(app)
    operations = promised(resource, app.openapi())
    assert operations.keys() == PROMISED.keys()
    for key, promise in PROMISED.items():
        assert operations[key]["operationId"] == promise.name.format(resource.name), key
        assert problems_of(operations[key]) == promise.problems, key
        assert parameters_of(operations[key], resource) == promise.parameters, key
        assert operations[key]["tags"] == [resource.tag], key
        assert operations[key]["security"], key


@pytest.mark.parametrize("resource", EVERY)
def test_the_application_shows_each_as_saga_routes_makes_it(resource: Resource[Any]) -> None:
    app = FastAPI(generate_unique_id_function=lambda route: route.name)
    app.include_router(saga_routes(resource))
    openapi.install(app)
    assert promised(resource, DOCUMENT) == promised(resource, app.openapi())


def test_every_kind_of_saga_is_a_resource() -> None:
    assert {resource.kind for resource in resources()} == set(KINDS)
    assert len(EVERY) == len(KINDS)


@pytest.mark.parametrize("resource", EVERY)
async def test_each_endpoint_needs_its_scope_and_no_other(shared_door: Door, resource: Resource[Any]) -> None:
    """A key with every other scope is refused with the name of the one that it lacks."""
    one = new_id(resource.kind.id_prefix)
    for verb in ("read", "write", "resolve"):
        others = {f"{resource.scopes}:{other}" for other in ("read", "write", "resolve") if other != verb}
        without, having = await shared_door.key(*sorted(others)), await shared_door.key(f"{resource.scopes}:{verb}")
        for (method, path), promise in PROMISED.items():
            if promise.verb != verb:
                continue
            address = f"{resource.path}{path.format(id=one)}"
            refused = await without.request(method, address)
            assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing"), address
            assert refused.json()["facts"] == {"scope": f"{resource.scopes}:{verb}"}
            let_in = await having.request(method, address, headers={"Idempotency-Key": new_id("idk")})
            assert let_in.status_code != 403, let_in.text
