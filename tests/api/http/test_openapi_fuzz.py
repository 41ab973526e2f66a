"""The API keeps its own word: whatever the document allows or forbids is sent, and every answer is one that it describes.

About a minute. Nobody works on the queues, so what needs a worker is a 503 here, which the document allows too.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from api.http.field_words import LIBRARY
from api.partners import connection_jobs
from api.saga import commands as saga_commands
from cli.local.postgres import EmbeddedPostgres
from core.settings import Settings
from store.database import Database
from temporal import commands
from tests.api.conftest import ADMIN_KEY, Door, make_settings, open_door
from tests.api.money import REQUESTS, rich_lender, say
from tests.support.databases import database_from
from tests.support.openapi import document
from tests.support.simulator_server import AppServer

pytestmark = pytest.mark.slow

DOCUMENT = document()
# Every request carries the admin's key: who gets in without one is asked in test_auth.py.
for _methods in DOCUMENT["paths"].values():
    for _operation in _methods.values():
        _operation.pop("security", None)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS: list[Any] = [result.ok() for result in SCHEMA.get_all_operations()]  # type: ignore[union-attr]

# Nothing can be wrong there: no parameters, or an address that is itself the proof and a body that is taken as it comes.
NEVER_WRONG = ("/cb/", "/health/", "/metrics")
TAKES_NOTHING = (("GET", "/api/v1/vetted-addresses"),)
# Base64 and protobuf's own rules cannot be said in JSON Schema.
JUDGED_BY_PROTOBUF = ("/codec/",)
# A file of one column takes any text for a line, `12345` as well as what a JSON schema would call a number.
JUDGED_BY_LINE = ("/api/v1/unknown-outcomes/ask",)


@dataclass(frozen=True)
class Target:
    """A running API, and things in it that exist."""

    url: str
    ids: dict[str, str]


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection_jobs, "_CHECK_SECONDS", 0.05)
        patch.setattr(commands, "TIMEOUT", timedelta(seconds=0.05))
        patch.setattr(saga_commands, "_QUERY_TIMEOUT", timedelta(seconds=0.05))
        yield


@pytest.fixture(scope="module")
async def target(
    quick: None, postgres_server: EmbeddedPostgres, template_database: str, temporal_env: WorkflowEnvironment
) -> AsyncIterator[Target]:
    """Served by a thread with its own loop, since hypothesis' tests are not asynchronous."""
    with database_from(postgres_server, template_database) as url:
        settings = make_settings(Settings(_env_file=None, environment="test"), url)
        port = int(temporal_env.client.service_client.config.target_host.rsplit(":", 1)[1])
        settings = settings.model_copy(
            update={
                "temporal": settings.temporal.model_copy(update={"port": port}),
                "api": settings.api.model_copy(update={"max_wait_seconds": 0.05}),
            }
        )
        database = Database(url)
        async with open_door(settings, database, temporal_env.client) as door:
            ids = await _things(door)
            server = AppServer()
            server.start()
            try:
                with server.serving(create_app(settings)):
                    yield Target(server.url, ids)
            finally:
                server.stop()
            await _end_all(temporal_env.client)
        await database.close()


async def _things(door: Door) -> dict[str, str]:
    partner_id = await rich_lender(door)
    made = await door.admin.post("/api/v1/disbursements", json={"partner_id": partner_id, "loan_id": 91})
    ids = {"partner_id": partner_id, "disbursement_id": made.json()["id"]}
    for name, path in (
        ("top_up_id", "/top-ups"), ("purchase_id", "/float-purchases"), ("collection_id", "/collections"),
    ):  # fmt: skip
        ids[name] = (await say(door.admin, path, {**REQUESTS[path], "partner_id": partner_id})).json()["id"]
    return ids


async def _end_all(client: Client) -> None:
    """Checks and schedules that fuzzing began: nobody may find them later."""
    async for workflow in client.list_workflows("ExecutionStatus = 'Running'"):
        await client.get_workflow_handle(workflow.id).terminate("the test is over")
    async for schedule in await client.list_schedules():
        if schedule.id.startswith(("loan-watch/", "payment-pull/", "bank-statement/")):
            await client.get_schedule_handle(schedule.id).delete()


ASKED = [
    pytest.param(operation, mode, id=f"{operation.label} {mode.value}")
    for operation in OPERATIONS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE
    or (not operation.path.startswith(NEVER_WRONG) and (operation.method.upper(), operation.path) not in TAKES_NOTHING)
]


@pytest.mark.parametrize(("operation", "mode"), ASKED)
def test_every_answer_is_one_that_the_document_describes(target: Target, operation: Any, mode: GenerationMode) -> None:
    checks = [status_code_conformance, content_type_conformance, response_schema_conformance]
    if mode is GenerationMode.NEGATIVE and not operation.path.startswith((*JUDGED_BY_PROTOBUF, *JUDGED_BY_LINE)):
        checks.append(negative_data_rejection)

    @seed(1)
    @hypothesis_settings(
        max_examples=12,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            # Random ids exist nowhere, and would only ever show the answer 404.
            case.path_parameters.update({k: v for k, v in target.ids.items() if k in case.path_parameters})
        response = case.call(base_url=target.url, headers={"Authorization": f"Bearer {ADMIN_KEY}"})
        assert response.status_code != 500, response.text
        if response.status_code == 422:
            # A refusal names the rule in our words, and never shows the library's.
            assert [one for one in response.json()["errors"] if one["detail"].startswith(LIBRARY)] == []
        case.validate_response(response, checks=checks)

    ask()
