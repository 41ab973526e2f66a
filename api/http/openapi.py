"""What the OpenAPI document says beyond what FastAPI knows: problem responses and examples."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.http.openapi_stages import explain_stages
from api.http.problem_words import WORDS
from api.http.problems import MEDIA_TYPE, Problem, example, example_of
from models.kinds import KINDS

_DESCRIPTIONS: Final[dict[int, str]] = {
    400: "The body cannot be read as JSON",
    401: "No living API key",
    403: "The key, or the state, does not allow it",
    404: "It does not exist, or not for this key",
    406: "The answer is wanted in a form that there is not",
    409: "Something else was already done, or the moment is wrong",
    413: "The body is too large",
    415: "The body is of another media type",
    422: "A field breaks a rule; `errors` names it",
    429: "The key asks too often; see `Retry-After`",
    502: "A provider's answer is unknown",
    503: "Something that we need is away; see `Retry-After`",
}
_REF: Final = {"$ref": "#/components/schemas/Problem"}

TAGS: Final = [
    {"name": "partners", "description": "Partners, their connections and contacts"},
    {"name": "loan products", "description": "Which loans are paid out, and within which limits"},
    {"name": "wallets", "description": "The prepaid wallets that charges are taken from"},
    *({"name": f"{kind.word}s", "description": kind.about} for kind in KINDS),
    {"name": "bulk actions", "description": "One command for many payments"},
    {"name": "cases", "description": "What a person must decide"},
    {"name": "inbox", "description": "Providers' messages, as they came and as they were read"},
    {"name": "exchanges", "description": "Every call to a provider"},
    {"name": "tariffs", "description": "What charges cost"},
    {"name": "reports", "description": "What was done and what it cost, by day"},
    {"name": "reconciliations", "description": "Each day compared with M-Pesa, the bank and Fineract"},
    {"name": "keys", "description": "API keys"},
    {"name": "people", "description": "Who has keys, and who may sign in to the console"},
    {"name": "callbacks", "description": "Where providers reach us; no API key, the address itself is the proof"},
    {"name": "search", "description": "Find a payment by whatever is known of it"},
    {"name": "attention", "description": "All that needs somebody, the oldest first"},
    {"name": "monitoring", "description": "How things go"},
    {"name": "codec", "description": "Payloads in clear for Temporal's UI"},
    {"name": "system", "description": "Health and metrics"},
]


def problems(*what: int | str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: these problems, and those that every route with a key may give. A problem is named by its
    status, which is then shown by what is usual for it, or by its code."""
    return _responses({401, 403, 422, 429, 503}, what)


def open_problems(*what: int | str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route without a key."""
    return _responses({422}, what)


def again(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The `responses` entry of a write that was done before."""
    return {200: {"model": model, "description": "It was done before; nothing was done now"}}


WRITES: Final = (400, 413, 415)


def _responses(always: set[int], what: tuple[int | str, ...]) -> dict[int | str, dict[str, Any]]:
    codes = [one for one in what if isinstance(one, str)]
    named: dict[int, list[str]] = {}
    for code in codes:
        named.setdefault(WORDS[code].statuses[0], []).append(code)
    statuses = always | {one for one in what if isinstance(one, int)} | set(named)
    return {status: _response(status, named.get(status, [])) for status in sorted(statuses)}


def _response(status: int, codes: list[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {"example": example(status)}
    if codes:
        shown = {"examples": {code: {"summary": WORDS[code].means, "value": example_of(code)} for code in codes}}
    return {"description": _DESCRIPTIONS[status], "content": {MEDIA_TYPE: {"schema": dict(_REF), **shown}}}


def install(app: FastAPI, made: dict[str, Any] | None = None) -> None:
    """`made` is where applications of the same routes keep one document: it takes a second of processor time, and the first
    request with a query parameter asks for it."""
    kept: dict[str, Any] = {} if made is None else made

    def openapi() -> dict[str, Any]:
        if not kept:
            kept.update(_document(app))
        return kept

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        tags=TAGS,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    _, problem = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
    schemas.update(problem["$defs"])
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    explain_stages(document)
    for path in document["paths"].values():
        for operation in path.values():
            for response in operation.get("responses", {}).values():
                for media in response.get("content", {}).values():
                    _give_example(media, schemas)
            for media in operation.get("requestBody", {}).get("content", {}).values():
                _give_example(media, schemas)
    return document


def _give_example(media: dict[str, Any], schemas: dict[str, Any]) -> None:
    if "example" not in media and "examples" not in media:
        found = _example(media.get("schema", {}), schemas)
        if found is not None:
            media["example"] = found


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """The schema's own example, or one put together from those of its parts."""
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    if "anyOf" in schema:
        return next((found for part in schema["anyOf"] if (found := _example(part, schemas)) is not None), None)
    if schema.get("type") == "array":
        item = _example(schema.get("items", {}), schemas)
        return [] if item is None else [item]
    if schema.get("type") == "object" and "properties" in schema:
        return {name: _example(part, schemas) for name, part in schema["properties"].items()}
    return None
