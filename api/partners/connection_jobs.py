"""Small jobs on a partner's outside systems, done by workflows: the API itself never calls a provider."""

import asyncio
from datetime import timedelta
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import Priority, WorkflowIDConflictPolicy
from temporalio.exceptions import ActivityError, ApplicationError, WorkflowAlreadyStartedError

from api.http.dependencies import Services
from api.partners.connections_schemas import ConnectionIn
from core.clock import utc_now
from core.errors import Busy, Conflict, InvalidRequest, NotAllowed, Rejected, Transient, Unknown
from core.ids import CONNECTION, new_id
from inbound import connection_checks
from models import providers
from models.messages.connections.daraja import DarajaSecrets
from models.messages.connections.jobs import (
    CheckConnection,
    ConnectionChecked,
    PaybillRegistered,
    QueryBalance,
    RegisterPaybill,
)
from models.messages.connections.sealed import SealedConnection
from models.messages.errors import ErrorFacts
from models.tables.platform.connection import Connection
from store.platform import secret_addresses
from temporal.queues import FLOWS_QUEUE
from temporal.schedules import ensure_watch

R = TypeVar("R", bound=BaseModel)

# A try gives up after 40 (workflows/saga/policies.py); M-Pesa's answer about the balance is waited for after it.
_CHECK_SECONDS: Final = 55.0


def sealed_connection(services: Services, partner_id: str, given: ConnectionIn, version: int = 1) -> SealedConnection:
    """What a caller gave, with its secrets sealed. Raises InvalidRequest for what production does not allow."""
    plain = given.settings()
    settings = providers.settings_of(given.provider, plain)
    for field, address in settings.addresses().items():
        if services.settings.environment == "production" and not address.startswith("https://"):
            raise InvalidRequest(
                "In production an address must be https.", code="insecure", field=f"{given.provider}.{field}"
            )
    if services.settings.environment == "production" and not settings.trust.verify_tls:
        raise InvalidRequest(
            "In production certificates are checked.", code="insecure", field=f"{given.provider}.trust.verify_tls"
        )
    return SealedConnection(
        provider=given.provider,
        settings=plain,
        sealed=services.box.seal(given.secrets_json()),
        partner_id=partner_id,
        version=version,
    )


async def check(services: Services, connection: SealedConnection) -> ConnectionChecked:
    """Tries a connection that need not be stored. Raises Conflict if it is being tried already, Busy if no worker
    answers in time."""
    return await run_job(
        services.client,
        "ConnectionCheck",
        CheckConnection(
            connection=connection, answer_within=timedelta(seconds=services.settings.api.balance_within_seconds)
        ),
        workflow_id=connection_checks.check_id(connection.partner_id or "-", connection.provider),
        result=ConnectionChecked,
        seconds=_CHECK_SECONDS,
        join=False,
    )


async def check_or_refuse(services: Services, connection: SealedConnection) -> ConnectionChecked:
    """Raises InvalidRequest naming the field (`fineract.password`) if the connection does not work."""
    checked = await check(services, connection)
    if not checked.ok:
        field = f"{connection.provider}.{checked.field}" if checked.field else connection.provider
        raise InvalidRequest(
            checked.detail or "The connection does not work.", code=checked.code or "connection_failed", field=field
        )
    return checked


def keeps_currency(partner_currency: str, given: ConnectionIn) -> None:
    """Raises InvalidRequest for accounts in another currency than the partner's wallet."""
    if providers.settings_of(given.provider, given.settings()).currency_of_accounts() not in (None, partner_currency):
        raise InvalidRequest(
            f"The partner's currency is {partner_currency}.",
            code="currency_differs",
            field=f"{given.provider}.currency",
        )


async def watch(services: Services, row: Connection) -> None:
    """Makes the schedule that a connection asks for: the poll for approved loans (A2), the list of payments whose
    announcement was lost (A6, A10). Only for a connection that is not watched: an interval that was changed since stays."""
    if providers.named(row.provider).watch is not None and is_watched(services, row):
        await ensure_watch(services.client, row.provider, row.partner_id)


def is_watched(services: Services, row: Connection) -> bool:
    """Whether a stored connection has its schedule: one to M-Pesa gets it with its pass key."""
    if row.provider != "daraja":
        return True
    try:
        return DarajaSecrets.model_validate_json(services.box.open(row.sealed)).passkey is not None
    except NotAllowed:  # sealed with a key that is lost: new credentials must mend that
        return False


def address_of(services: Services, row: Connection) -> str:
    """Where this connection's provider calls us, without the last part. Raises Conflict (code "no_address")."""
    secret = secret_addresses.opened(row, services.box)
    return f"{services.settings.callbacks.base_url.rstrip('/')}/cb/{providers.named(row.provider).calls_at}/{secret}"


def new_row(connection: SealedConnection) -> Connection:
    """A row that holds nothing yet: see `take_over`."""
    assert connection.partner_id is not None
    now = utc_now()
    return Connection(
        id=new_id(CONNECTION), partner_id=connection.partner_id, provider=connection.provider, settings={}, sealed="",
        version=0, status="unchecked", created_at=now, updated_at=now,
    )  # fmt: skip


def stored(row: Connection) -> SealedConnection:
    return SealedConnection.model_validate(row, from_attributes=True)


def take_over(
    services: Services, row: Connection, connection: SealedConnection, status: str, detail: str | None = None
) -> None:
    """Puts settings that were tried into a row; `updated_at` is the moment from which these credentials are used. The secret
    of its address for announcements is made once and stays: providers have it."""
    now = utc_now()
    secret_addresses.give(row, services.box)
    row.settings, row.sealed, row.version = connection.settings, connection.sealed, connection.version
    row.status, row.check_detail, row.updated_at = status, detail, now
    row.checked_at = None if status == "unproven" else now


async def query_balance(services: Services, partner_id: str) -> None:
    """Only starts the question: the answer comes by callback."""
    await services.client.start_workflow(
        "BalanceInquiry",
        QueryBalance(partner_id=partner_id),
        id=f"balance-inquiry/{partner_id}",
        task_queue=FLOWS_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        priority=Priority(fairness_key=partner_id),
    )


async def register_paybill(services: Services, order: RegisterPaybill) -> PaybillRegistered:
    """Has M-Pesa announce payments to the partner's short code. Raises Conflict if that is being done already, Busy if no
    worker answers in time, what M-Pesa refuses as Rejected."""
    return await run_job(
        services.client,
        "PaybillRegistration",
        order,
        workflow_id=f"paybill-registration/{order.partner_id}",
        result=PaybillRegistered,
        seconds=_CHECK_SECONDS,
        join=False,
    )


async def run_job(
    client: Client, workflow: str, order: Any, *, workflow_id: str, result: type[R], seconds: float, join: bool
) -> R:
    """A small workflow, waited for; `join` the one that runs under this id already. Raises Conflict, Busy, and what the
    provider refuses as Rejected."""
    policy = WorkflowIDConflictPolicy.USE_EXISTING if join else WorkflowIDConflictPolicy.FAIL
    try:
        handle = await client.start_workflow(
            workflow,
            order,
            id=workflow_id,
            task_queue=FLOWS_QUEUE,
            result_type=result,
            id_conflict_policy=policy,
            priority=Priority(fairness_key=_partner_of(order)),
        )
        answer = await asyncio.wait_for(handle.result(), seconds)
    except WorkflowAlreadyStartedError:
        raise Conflict("This is being done already; try again in a moment.", code="already_running") from None
    except TimeoutError:
        raise Busy("This takes longer than a request may wait; try again later.", code="still_running") from None
    except WorkflowFailureError as error:
        _raise_ours(error)
    assert isinstance(answer, result)
    return answer


def _partner_of(order: Any) -> str | None:
    """Whose job it is, so that one partner's jobs wait for each other and for nobody else's."""
    found = order.connection.partner_id if isinstance(order, CheckConnection) else order.partner_id
    return str(found) if found else None


def _raise_ours(error: WorkflowFailureError) -> NoReturn:
    """A provider's refusal is not the caller's: 422 with the provider's code, never 401 or 403."""
    cause = error.cause.cause if isinstance(error.cause, ActivityError) else error.cause
    if not (isinstance(cause, ApplicationError) and cause.details):
        raise Busy("The job ended without a result; try again later.", code="no_result") from error
    facts = ErrorFacts.model_validate(cause.details[0])
    kind = {"rejected": Rejected, "transient": Transient, "unknown": Unknown}[facts.kind]
    raise kind(facts.detail, code=facts.code, **facts.extra) from error
