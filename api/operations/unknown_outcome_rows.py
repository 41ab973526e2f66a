"""Asks about and decides what was sent and never answered, row by row: one bad row keeps no other from its answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from temporalio.service import RPCError

from api.http.auth import Principal
from api.http.dependencies import Services
from api.operations.unknown_outcomes_schemas import AskedRow, ResolvedRow
from api.saga import deciding
from api.saga.deciding import Act
from api.saga.links import SagaLink
from core.desk_files import Decided
from core.errors import Busy, Conflict, KivukoError, NotAllowed
from models.messages.saga.decisions import RetryNow, Verdict
from models.tables.saga.saga_row import SagaRow
from store.saga import saga_rows, unknown_outcomes
from store.saga.unknown_outcomes import Sent

T = TypeVar("T")

# As many sagas are told at once; more would only wait in line before the workers.
_AT_ONCE: Final = 10
_ENDED: Final = "Its saga has ended; what it decided stands."
_KNOWN: Final = "Its outcome is known already."
_GONE_ON: Final = "Its saga has gone on to another attempt."
_AWAY: Final = "The workflow engine cannot be reached now; repeat the row."


@dataclass(frozen=True, slots=True)
class _Found:
    """What a reference names, as far as this key may see it."""

    sent: tuple[Sent, ...]
    saga: SagaRow | None


async def ask(
    services: Services, principal: Principal, wanted: Sequence[tuple[int, str]], key: str | None
) -> list[AskedRow]:
    """For each (line, reference): its saga is told to ask the provider now. One reference is asked about once, however
    often it stands there."""
    found = await _find(services, principal, [reference for _, reference in wanted])

    async def one(reference: str) -> tuple[Any, str | None]:
        saga, _, refusal = _living(found[reference])
        if saga is None:
            return refusal
        try:
            deciding.need_to_command(principal, saga.workflow_id)
            retry = RetryNow(actor=principal.id, note="asked from the missing-callback desk")
            act = Act(principal, saga, "unknown_outcomes.ask", reference, key)
            await deciding.command(services, act, "retry", retry)
        except KivukoError as error:
            return _refused(error, otherwise="not_waiting")
        return "asked", None

    told = await _each(list(dict.fromkeys(reference for _, reference in wanted)), one)
    return [
        AskedRow(line=line, reference=reference, result=told[reference][0], detail=told[reference][1],
                 saga=_link(found[reference]))
        for line, reference in wanted
    ]  # fmt: skip


async def resolve(
    services: Services, principal: Principal, wanted: Sequence[Decided], key: str | None
) -> list[ResolvedRow]:
    """Each decision is made if it is about the very attempt that its saga would take it for."""
    by_reference = {row.reference: row for row in wanted}
    found = await _find(services, principal, list(by_reference))

    async def one(reference: str) -> tuple[Any, str | None]:
        row = by_reference[reference]
        saga, sent, refusal = _living(found[reference])
        if saga is None or sent is None:
            return refusal
        act = Act(principal, saga, "unknown_outcomes.resolve", sent.reference, key)
        try:
            await deciding.decide(services, act, _verdict(row, sent), meant=sent.reference)
        except KivukoError as error:
            return _refused(error, otherwise="refused")
        return "taken", None

    told = await _each(list(by_reference), one)
    return [
        ResolvedRow(line=row.line, reference=row.reference, result=told[row.reference][0],
                    detail=told[row.reference][1], saga=_link(found[row.reference]))
        for row in wanted
    ]  # fmt: skip


def _verdict(row: Decided, sent: Sent) -> Verdict:
    return Verdict.model_validate(
        {
            "decision": row.decision, "evidence": row.evidence, "reference": sent.reference, "receipt": row.receipt,
        }
    )  # fmt: skip


async def _find(services: Services, principal: Principal, references: list[str]) -> dict[str, _Found]:
    async with services.database.transaction() as session:
        named = await unknown_outcomes.named(session, references)
        seen = {name: [one for one in sent if principal.sees(one.partner_id)] for name, sent in named.items()}
        workflow_ids = {one.workflow_id for sent in seen.values() for one in sent}
        rows = await saga_rows.of_workflows(session, workflow_ids)
    found = {}
    for reference in references:
        sent = tuple(seen.get(reference, ()))
        workflow_id = sent[0].workflow_id if len(sent) == 1 else ""
        found[reference] = _Found(sent, rows.get(workflow_id))
    return found


def _living(found: _Found) -> tuple[SagaRow | None, Sent | None, tuple[str, str]]:
    """The saga that still waits for the outcome of what was found, or why there is none."""
    if not found.sent:
        return None, None, ("unknown_reference", "Nothing was sent under this reference.")
    if len(found.sent) > 1:
        return None, None, ("ambiguous_reference", "Several payments bear this reference; give ours.")
    (sent,) = found.sent
    if found.saga is None or found.saga.ended_at is not None:
        return None, sent, ("saga_ended", _ENDED)
    if not sent.unknown:
        return None, sent, ("not_waiting", _KNOWN)
    return found.saga, sent, ("", "")


def _refused(error: KivukoError, *, otherwise: str) -> tuple[str, str]:
    if isinstance(error, NotAllowed):
        return "not_allowed", error.detail
    if isinstance(error, Busy):
        return "busy", error.detail
    if isinstance(error, Conflict) and error.code == "ended":
        return "saga_ended", _ENDED
    if error.code == "receipt_taken":
        return "receipt_taken", error.detail
    if error.code == "another_attempt":
        return "not_waiting", _GONE_ON
    return otherwise, error.detail


async def _each(references: list[str], tell: Callable[[str], Awaitable[T]]) -> dict[str, T | tuple[str, str]]:
    """The answer to each. Once the workflow engine is away nobody else is kept waiting for it."""
    turn, away = asyncio.Semaphore(_AT_ONCE), False

    async def one(reference: str) -> T | tuple[str, str]:
        nonlocal away
        async with turn:
            if away:
                return "busy", _AWAY
            try:
                return await tell(reference)
            except RPCError:
                away = True
                return "busy", _AWAY

    told = await asyncio.gather(*(one(reference) for reference in references))
    return dict(zip(references, told, strict=True))


def _link(found: _Found) -> SagaLink | None:
    return SagaLink.of(found.saga) if found.saga else None
